// Whose page this is, and what happens when their sign-in ends while the page is open. What was typed stays. A panel asks
// to sign in; then what waited is sent. If somebody else has signed in meanwhile, the page is left at once.

const { body } = document;
const owner = body.dataset.pageOwner; // "" on a page that was made for nobody
const FRESH = 60000; // milliseconds after which a whole form asks first whether its owner is signed in
let checked = Date.now(); // when the server last said that the owner was signed in
let leaving = false;

// --- Who is signed in ---

const identity = () => JSON.parse(body.getAttribute("hx-headers"));

// A sign-in changes the CSRF token: every form of this page gets the new one.
function take(token) {
  body.setAttribute("hx-headers", JSON.stringify({ ...identity(), "X-CSRFToken": token }));
  for (const field of document.querySelectorAll("input[name=csrfmiddlewaretoken]")) field.value = token;
}

// Errors: TypeError without a connection.
async function ask() {
  const response = await fetch(body.dataset.accountState, {
    headers: { Accept: "application/json" }, credentials: "same-origin", cache: "no-store",
  });
  if (!response.ok) throw new TypeError("no answer");
  return response.json();
}

// Nothing of this page's owner is left for whoever is signed in now.
function leave() {
  leaving = true;
  body.replaceChildren();
  forget();
  location.replace("/");
  return new Promise(() => {});
}

// Returns whether the page's owner is signed in. Leaves the page if somebody else is.
async function isSignedIn() {
  const state = await ask();
  if (state.owner && state.owner !== owner) return leave();
  if (!state.owner) return false;
  checked = Date.now();
  take(state.csrf);
  return true;
}

// --- The panel ---

let waiting = null;

// Shows the panel, and ends when the page's owner has signed in again.
export function signedOut() {
  waiting ??= new Promise((done) => new Panel(done)).finally(() => {
    waiting = null;
  });
  return waiting;
}

// For a script that only knows that it gets no answer: shows the panel if nobody is signed in any more. Returns true once
// the page's owner has signed in again, and false if they are signed in all along or there is no connection.
export async function checkSignIn() {
  if (!owner || (await isSignedIn().catch(() => true))) return false;
  await signedOut();
  return true;
}

export const isSignInAwaited = () => waiting !== null;

const isTyping = (element) => element?.matches("input, textarea, select, [contenteditable]");

class Panel {
  constructor(done) {
    this.done = done;
    this.root = document.getElementById("signed-out").content.firstElementChild.cloneNode(true);
    this.form = this.root.querySelector("form");
    this.refusal = this.part("refusal");
    this.before = document.activeElement;
    // What lies below a modal dialog could not be used.
    (document.querySelector("dialog:modal") ?? body).append(this.root);
    this.form.addEventListener("submit", (event) => this.submit(event));
    this.part("later").addEventListener("click", () => this.fold(true));
    this.part("open").addEventListener("click", () => this.fold(false));
    this.root.addEventListener("keydown", (event) => event.key === "Escape" && this.fold(true));
    // Signed in in another window: it shows when this one is seen again.
    this.look = () => document.hidden || this.end().catch(() => {});
    document.addEventListener("visibilitychange", this.look);
    addEventListener("focus", this.look);
    // Whoever is typing goes on typing: the panel is announced, and small enough to cover little on a telephone.
    if (isTyping(this.before)) this.show(false);
    else this.form.elements.login.focus();
  }

  part(name) {
    return this.root.querySelector(`[data-part=${name}]`);
  }

  show(open) {
    this.form.hidden = !open;
    this.part("folded").hidden = open;
  }

  fold(folded) {
    this.show(!folded);
    if (folded) this.giveBackFocus();
    else this.form.elements.login.focus();
  }

  giveBackFocus() {
    if (this.before?.isConnected && this.before !== body) this.before.focus();
    else document.getElementById("main").focus();
  }

  async submit(event) {
    event.preventDefault();
    if (this.form.hasAttribute("aria-busy")) return;
    this.form.setAttribute("aria-busy", "true");
    this.say("");
    try {
      await this.signIn();
    } catch {
      this.say(this.refusal.dataset.noAnswer);
    } finally {
      this.form.removeAttribute("aria-busy");
    }
  }

  async signIn() {
    const { csrf } = await ask();
    const response = await fetch(this.form.dataset.signIn, {
      method: "POST", body: new URLSearchParams(new FormData(this.form)), credentials: "same-origin",
      headers: { Accept: "application/json", "X-CSRFToken": csrf },
    });
    if (await this.end()) return;
    const answer = await response.json().catch(() => ({}));
    const fields = Object.values(answer.form?.fields ?? {}).flatMap((field) => field.errors);
    this.form.elements.password.value = "";
    this.say([...(answer.form?.errors ?? []), ...fields].join(" ") || this.refusal.dataset.refused);
    this.form.elements.password.focus();
  }

  say(text) {
    this.refusal.textContent = text;
    this.refusal.hidden = !text;
  }

  // Returns whether the page's owner is signed in; then the panel is gone.
  async end() {
    if (!(await isSignedIn())) return false;
    document.removeEventListener("visibilitychange", this.look);
    removeEventListener("focus", this.look);
    const inside = this.root.contains(document.activeElement);
    const said = this.part("done");
    this.root.replaceWith(said);
    // A status is read aloud when it changes, not when it comes.
    setTimeout(() => (said.textContent = said.dataset.text), 200);
    if (inside) this.giveBackFocus();
    this.done();
    return true;
  }
}

// --- Requests of scripts ---

// Returns whether a refused request may be sent again, after its owner has signed in or with a fresh token. `header`
// returns a header of the answer. Never ends if the page is left.
export async function isRenewed(status, header) {
  if (status === 401 && header("HX-Redirect")) return leave();
  if (status === 401 && header("WWW-Authenticate") === "Session") {
    await signedOut();
    return true;
  }
  if (status !== 403 || !header("Stale-Token")) return false;
  if (!(await isSignedIn())) await signedOut();
  return true;
}

// The headers that every request of this page carries.
export const pageHeaders = identity;

function withToken(content) {
  const token = identity()["X-CSRFToken"];
  if ((content instanceof FormData || content instanceof URLSearchParams) && content.has("csrfmiddlewaretoken")) {
    content.set("csrfmiddlewaretoken", token);
  }
  return content;
}

// Like fetch, for this page's owner. If they are signed out, it waits until they have signed in again, and sends again.
// Errors: TypeError without a connection; AbortError and TimeoutError of `signal`, which is for the first attempt.
export async function send(url, { method = "GET", body: content = null, headers = {}, signal } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    const response = await fetch(url, {
      method, body: withToken(content), credentials: "same-origin", cache: "no-store",
      headers: { ...identity(), ...headers }, signal: attempt ? undefined : signal,
    });
    const last = attempt === 2;
    if (last || !(await isRenewed(response.status, (name) => response.headers.get(name)))) return response;
  }
}

// --- Requests of htmx ---

const unsent = new Map(); // the last request of each element that waits for a sign-in
const renewed = new WeakSet(); // elements whose request is being sent a second time

const isPoll = ({ headers }) => Boolean(headers.poll || headers.Poll);

function sendAgain({ elt, requestConfig }) {
  if (!elt.isConnected) return;
  const { verb, path, triggeringEvent } = requestConfig;
  const button = triggeringEvent?.submitter;
  const values = button?.name ? { [button.name]: button.value } : {};
  // A rejection is an error that htmx has told by an event already.
  window.htmx.ajax(verb, path, { source: elt, event: triggeringEvent, values }).catch(() => {});
}

async function sendAfter(ready, detail) {
  if (!isPoll(detail.requestConfig)) unsent.set(detail.elt, detail);
  await ready;
  if (unsent.get(detail.elt) !== detail) return;
  unsent.delete(detail.elt);
  renewed.add(detail.elt);
  sendAgain(detail);
}

// Tokens are no part of an address.
document.addEventListener("htmx:configRequest", ({ detail }) => {
  if (detail.verb !== "get") return;
  delete detail.parameters.csrfmiddlewaretoken;
  delete detail.parameters.page_owner;
});

document.addEventListener("htmx:beforeRequest", (event) => {
  if (!waiting) return;
  event.preventDefault();
  sendAfter(waiting, event.detail);
});

document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { xhr, elt } = event.detail;
  const header = (name) => xhr.getResponseHeader(name);
  const refused = xhr.status === 401 || (xhr.status === 403 && header("Stale-Token"));
  if (!refused || !owner) {
    renewed.delete(elt);
    return;
  }
  event.preventDefault();
  if (renewed.delete(elt) && xhr.status === 403) tellUnsent(true, () => sendAgain(event.detail), elt);
  else sendAfter(isRenewed(xhr.status, header), event.detail);
});

for (const kind of ["htmx:sendError", "htmx:timeout", "htmx:responseError"]) {
  document.addEventListener(kind, (event) => {
    const { elt, xhr, requestConfig } = event.detail;
    // An element that tells this itself prevents it here. What a page asks for by itself, it will ask for again.
    if (event.defaultPrevented || isPoll(requestConfig) || (xhr.status && xhr.status < 500)) return;
    tellUnsent(xhr.status !== 0, () => sendAgain(event.detail), elt);
  });
}

// --- What was not sent ---

let notice = null;

// Says that something was not sent, with a button that calls `again`. answered: the server did answer, with an error.
function tellUnsent(answered, again, element) {
  const found = document.getElementById("unsent");
  if (!found) return;
  notice?.remove();
  notice = found.content.firstElementChild.cloneNode(true);
  const text = notice.querySelector("[role=alert]");
  const end = () => {
    const inside = notice.contains(document.activeElement);
    notice.remove();
    if (inside) (element?.isConnected && !element.matches("form, div") ? element : document.getElementById("main")).focus();
  };
  notice.querySelector("[data-part=close]").addEventListener("click", end);
  notice.querySelector("[data-part=again]").addEventListener("click", () => {
    end();
    again();
  });
  (document.querySelector("dialog:modal") ?? body).append(notice);
  // An alert is announced when it changes, not when it comes with the page.
  text.textContent = answered ? text.dataset.noAnswer : text.dataset.noConnection;
}

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (detail.successful && !isPoll(detail.requestConfig)) notice?.remove();
});

// --- Forms that are sent whole ---

const passed = new WeakSet();
const asking = new WeakSet();

// A script that sends its form itself has prevented this already.
document.addEventListener("submit", (event) => {
  const form = event.target, button = event.submitter;
  const method = (button?.getAttribute("formmethod") ?? form.method).toLowerCase();
  if (event.defaultPrevented || method !== "post" || form.dataset.signIn !== undefined) return;
  if (passed.delete(form) || (!waiting && Date.now() - checked < FRESH)) return;
  event.preventDefault();
  if (!asking.has(form)) sendWhole(form, button);
});

async function sendWhole(form, button) {
  asking.add(form);
  try {
    if (!owner) take((await ask()).csrf);
    else if (waiting || !(await isSignedIn())) await signedOut();
    passed.add(form);
    form.requestSubmit(button?.isConnected ? button : undefined);
    passed.delete(form); // a field that is not valid stops the form
  } catch {
    tellUnsent(false, () => sendWhole(form, button), button);
  } finally {
    asking.delete(form);
  }
}

// A form that came too late and may go now (templates/clinic/access/send_again.html).
document.querySelector("form[data-send-now]")?.requestSubmit();

// --- What stays in the browser ---

// What scripts store belongs to the page's owner: it is gone once a page is not theirs, also on a page for nobody.
function forget() {
  for (const name of ["localStorage", "sessionStorage"]) {
    try {
      window[name].clear();
    } catch {
      // Storage is switched off.
    }
  }
}

function keepOwnOnly() {
  for (const name of ["localStorage", "sessionStorage"]) {
    try {
      const storage = window[name];
      if ((storage.getItem("owner") ?? "") === owner && (owner || !storage.length)) continue;
      storage.clear();
      if (owner) storage.setItem("owner", owner);
    } catch {
      // Storage is switched off.
    }
  }
}

keepOwnOnly();
// A page that comes back out of the browser's memory may be of somebody who has signed out.
addEventListener("pageshow", (event) => event.persisted && location.reload());
document.addEventListener("visibilitychange", () => {
  if (!document.hidden && !waiting && Date.now() - checked > FRESH) checkSignIn();
});
addEventListener("beforeunload", (event) => leaving && event.stopImmediatePropagation(), true);
