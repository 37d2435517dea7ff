// The page for the bed: says how the night goes, sends what is tapped, and says whether it arrived.

import { keepAwake } from "./awake.js";
import { Taps } from "./taps.js";

const LOOK = 15000; // milliseconds between two looks while no stream tells of changes
const TOGETHER = 1500; // events that come this close are one look
const PATIENCE = 10000;

const main = document.getElementById("main");
const said = document.getElementById("said");
const { dataset } = main;
const owner = document.body.dataset.pageOwner;

function say(text) {
  if (said.textContent.trim() === text) return;
  const line = document.createElement("p");
  line.textContent = text;
  said.replaceChildren(...(text ? [line] : []));
}

// --- How the night goes ---

// Returns "fresh", "closed" if the house does not know this page any more, or "no line".
async function look() {
  let response;
  try {
    response = await fetch(dataset.now, {
      headers: { Accept: "application/json", "X-Page-Owner": owner, Poll: "1" }, cache: "no-store", redirect: "error",
      signal: AbortSignal.timeout(PATIENCE),
    });
    if ([401, 403, 404].includes(response.status)) return "closed";
    if (!response.ok) return "no line";
    show(await response.json());
  } catch {
    return "no line";
  }
  return "fresh";
}

function show({ state, html, begun, csrf }) {
  // What was said of an earlier pause is not true any more.
  if (state === "running" && dataset.state === "paused" && !taps.waiting) say("");
  dataset.state = state;
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = csrf;
  const now = document.getElementById("now");
  const fresh = new DOMParser().parseFromString(html, "text/html").body;
  if (now.textContent.trim() !== fresh.textContent.trim()) now.replaceChildren(...fresh.childNodes);
  // A stream of a night that is over ends at once; its end would refresh the status, and so open it again.
  if (begun && state !== "over") listen();
}

let soon = null;

// Events come in showers; the page looks once.
function lookSoon() {
  soon ??= setTimeout(() => {
    soon = null;
    lookAndTell();
  }, TOGETHER);
}

async function lookAndTell() {
  if ((await look()) === "closed" && !taps.waiting) {
    stream?.close();
    say(dataset.wordsClosed);
  }
}

let stream = null;

function listen() {
  if (stream && stream.readyState !== EventSource.CLOSED) return;
  stream = new EventSource(dataset.live);
  stream.onmessage = lookSoon;
  stream.addEventListener("state", lookSoon);
  stream.addEventListener("end", () => {
    stream.close();
    lookAndTell();
  });
}

// --- What is tapped ---

const tapForm = document.querySelector("form[data-tap]");
const taps = new Taps(
  tapForm,
  { name: dataset.keptName, key: dataset.keptKey },
  { sending: dataset.wordsSending, noLine: dataset.wordsNoLine, closed: dataset.wordsClosed },
  { said: say, arrived: lookSoon, fresh: look },
);
tapForm.addEventListener("submit", (event) => {
  event.preventDefault();
  taps.tap();
});

async function send(form, again = true) {
  say(dataset.wordsSending);
  let response;
  try {
    response = await fetch(form.action, {
      method: "POST", body: new URLSearchParams(new FormData(form)), headers: { Accept: "application/json" },
      redirect: "error", signal: AbortSignal.timeout(PATIENCE),
    });
    if (response.ok || response.status === 409) {
      say((await response.json()).text);
      return lookSoon();
    }
  } catch {
    return say(dataset.wordsNoAnswer);
  }
  const state = await look();
  if (state === "fresh" && again) return send(form, false);
  return say(state === "closed" ? dataset.wordsClosed : dataset.wordsNoAnswer);
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
  if (stream?.readyState !== EventSource.OPEN) lookAndTell();
}, LOOK);
addEventListener("online", lookSoon);
document.addEventListener("visibilitychange", () => document.hidden || lookSoon());
keepAwake();
document.documentElement.classList.add("script");
