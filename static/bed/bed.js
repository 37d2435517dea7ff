// The page for the bed: shows the status of the night, sends what its buttons ask for, and shows whether it arrived.

import { keepAwake } from "./awake.js";
import { TapSender } from "./taps.js";

// All in milliseconds.
const POLL_INTERVAL = 15000; // between two refreshes of the status while no stream is open
const REFRESH_DELAY = 1500; // from an event to the refresh, so that several events cause one refresh
const REQUEST_TIMEOUT = 10000;

const main = document.getElementById("main");
const messageBox = document.getElementById("said");
const { dataset } = main;
const owner = document.body.dataset.pageOwner;

function showMessage(text) {
  if (messageBox.textContent.trim() === text) return;
  const line = document.createElement("p");
  line.textContent = text;
  messageBox.replaceChildren(...(text ? [line] : []));
}

// --- The status of the night ---

let refreshes = 0;
let newestShown = 0;

// Fetches and shows the status. Returns "refreshed", "closed" if the server does not accept this page any more, or
// "offline" if there was no usable answer.
async function refresh() {
  const number = ++refreshes;
  let response;
  try {
    response = await fetch(dataset.now, {
      headers: { Accept: "application/json", "X-Page-Owner": owner, Poll: "1" }, cache: "no-store", redirect: "error",
      signal: AbortSignal.timeout(REQUEST_TIMEOUT),
    });
    if ([401, 403, 404].includes(response.status)) return "closed";
    if (!response.ok) return "offline";
    const status = await response.json();
    // On a slow line answers overtake each other: an older one must not undo what a newer one has shown.
    if (number > newestShown) {
      newestShown = number;
      show(status);
    }
  } catch {
    return "offline";
  }
  return "refreshed";
}

function show({ state, html, begun, csrf }) {
  // A message about the earlier pause is not true any more.
  if (state === "running" && dataset.state === "paused" && !taps.pending) showMessage("");
  dataset.state = state;
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = csrf;
  const shown = document.getElementById("now");
  const fetched = new DOMParser().parseFromString(html, "text/html").body;
  if (shown.textContent.trim() !== fetched.textContent.trim()) shown.replaceChildren(...fetched.childNodes);
  // A stream of a night that is over ends at once; its end would refresh the status, and so open it again.
  if (begun && state !== "over") listen();
}

let refreshTimer = null;

function refreshSoon() {
  refreshTimer ??= setTimeout(() => {
    refreshTimer = null;
    refreshAndReport();
  }, REFRESH_DELAY);
}

async function refreshAndReport() {
  if ((await refresh()) === "closed" && !taps.pending) {
    stream?.close();
    showMessage(dataset.wordsClosed);
  }
}

let stream = null;

function listen() {
  if (stream && stream.readyState !== EventSource.CLOSED) return;
  stream = new EventSource(dataset.live);
  stream.onmessage = refreshSoon;
  stream.addEventListener("state", refreshSoon);
  stream.addEventListener("end", () => {
    stream.close();
    refreshAndReport();
  });
}

// --- The buttons ---

const tapForm = document.querySelector("form[data-tap]");
const taps = new TapSender(
  tapForm,
  { name: dataset.keptName, key: dataset.keptKey },
  { sending: dataset.wordsSending, noLine: dataset.wordsNoLine, closed: dataset.wordsClosed },
  { showMessage, onArrival: refreshSoon, refresh },
);
tapForm.addEventListener("submit", (event) => {
  event.preventDefault();
  taps.tap();
});

// Sends the form of a button once more if the first attempt fails and the page could fetch a new CSRF token.
async function send(form, mayRetry = true) {
  showMessage(dataset.wordsSending);
  let response;
  try {
    response = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" },
      redirect: "error", signal: AbortSignal.timeout(REQUEST_TIMEOUT),
    });
    if (response.ok || response.status === 409) {
      showMessage((await response.json()).text);
      return refreshSoon();
    }
  } catch {
    return showMessage(dataset.wordsNoAnswer);
  }
  const state = await refresh();
  if (state === "refreshed" && mayRetry) return send(form, false);
  return showMessage(state === "closed" ? dataset.wordsClosed : dataset.wordsNoAnswer);
}

for (const form of document.querySelectorAll("form[data-send]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (form.hasAttribute("aria-busy")) return;
    form.setAttribute("aria-busy", "true");
    send(form).finally(() => form.removeAttribute("aria-busy"));
  });
}

if ("begun" in dataset) listen();
setInterval(() => {
  if (stream?.readyState !== EventSource.OPEN) refreshAndReport();
}, POLL_INTERVAL);
addEventListener("online", refreshSoon);
document.addEventListener("visibilitychange", () => document.hidden || refreshSoon());
keepAwake();
document.documentElement.classList.add("script");
