// Keeps what is typed into forms with data-draft a moment after it was typed, and says whether it is kept. Whatever
// leaves or replaces such a form waits until its words are kept. Forms with data-unkept only warn before they are left.

import { isSignInAwaited, send } from "./account.js";

const DELAY = 800; // milliseconds after the last key
const SLOW = 4000; // milliseconds after which a page says that it waits for an answer
const PATIENCE = 10000; // milliseconds that a link or button waits for words to be kept; longer while a sign-in is awaited
const WAITS = [2000, 4000, 8000, 15000, 30000]; // milliseconds before each further attempt; then always the last
const FORMS = "form[data-draft], form[data-unkept]";

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const known = new WeakMap();

class Draft {
  constructor(form) {
    this.form = form;
    this.status = form.querySelector("[data-draft-status]");
    this.typed = 0; // how often something was typed
    this.kept = 0; // up to which of these it is kept
    this.failed = 0; // attempts in a row without an answer
    this.quiet = false; // while something waits for the words and will say itself what came of it
    this.submitted = false;
  }

  get unkept() {
    return this.kept < this.typed && !this.submitted && this.form.isConnected;
  }

  get revision() {
    return this.form.elements.draft?.value ?? "";
  }

  set revision(value) {
    const name = CSS.escape(this.form.dataset.draft);
    for (const field of document.querySelectorAll(`input[data-draft-of="${name}"]`)) field.value = value;
  }

  tell(text, unkept = false) {
    this.status.classList.toggle("is-unkept", unkept);
    if (this.status.textContent !== text) this.status.textContent = text;
  }

  input() {
    this.typed += 1;
    this.submitted = false;
    if (this.status && !this.changed) this.keepIn(DELAY);
  }

  keepIn(ms) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.keep(), ms);
  }

  // Resolves when all that is typed is kept, or can't be for now. One request at a time.
  keep() {
    clearTimeout(this.timer);
    if (!this.status || this.changed) return Promise.resolve();
    this.keeping ??= this.sendAll().finally(() => {
      this.keeping = null;
    });
    return this.keeping;
  }

  async sendAll() {
    while (this.unkept && (await this.sendOnce()));
  }

  async sendOnce() {
    const upTo = this.typed;
    const body = new URLSearchParams([...new FormData(this.form)].filter(([, value]) => typeof value === "string"));
    const slow = setTimeout(() => this.tell(this.status.dataset.slow, true), SLOW);
    try {
      const response = await send(this.status.dataset.keep, { method: "POST", body });
      if (response.status >= 500 || response.status === 429) return this.tryLater();
      const answer = await response.json().catch(() => ({}));
      if (!response.ok) return this.refuse(answer);
      this.revision = answer.revision;
      this.kept = upTo;
      if (!this.quiet) this.tell(this.failed ? answer.again : answer.kept);
      this.failed = 0;
      return true;
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      return this.tryLater();
    } finally {
      clearTimeout(slow);
    }
  }

  tryLater() {
    this.tell(this.status.dataset.offline, true);
    this.keepIn(WAITS[Math.min(this.failed, WAITS.length - 1)]);
    this.failed += 1;
    return false;
  }

  refuse(answer) {
    if (!("values" in answer)) {
      if (!this.quiet) this.tell(answer.text ?? this.status.dataset.refused, true);
      return false;
    }
    this.tell("");
    this.changed = this.form.querySelector("[data-draft-changed]").content.firstElementChild.cloneNode(true);
    const find = (part) => this.changed.querySelector(`[data-draft-${part}]`);
    find("why").textContent = answer.text;
    this.show(answer.values, find("there"));
    find("mine").addEventListener("click", () => {
      this.settle();
      this.revision = answer.revision;
      this.keep();
    });
    find("theirs").addEventListener("click", () => {
      this.submitted = true;
      location.reload();
    });
    this.status.after(this.changed);
    return false;
  }

  settle() {
    this.changed.remove();
    this.changed = null;
    this.form.querySelector("textarea, input:not([type=hidden])")?.focus();
  }

  // Lists the fields in which another window has something else than this one.
  show(values, list) {
    const here = new FormData(this.form);
    for (const [name, there] of Object.entries(values)) {
      const fields = [...this.form.elements].filter((field) => field.name === name && field.type !== "hidden");
      if (!fields.length || String(there) === String(here.getAll(name))) continue;
      const [field] = fields;
      const title = (fields.length > 1 && field.closest("fieldset")?.querySelector("legend")) || field.labels?.[0];
      const words = there.map((value) => {
        const chosen = fields.find((one) => ["radio", "checkbox"].includes(one.type) && one.value === value);
        const option = [...(field.options ?? [])].find((one) => one.value === value);
        return (chosen?.labels[0] ?? option)?.textContent.trim() ?? value;
      });
      const row = document.createElement("div");
      row.append(
        Object.assign(document.createElement("dt"), { textContent: title?.textContent.trim() ?? name }),
        Object.assign(document.createElement("dd"), { textContent: words.join(", ") }),
      );
      list.append(row);
    }
  }
}

function draftOf(form) {
  if (!form?.matches?.(FORMS)) return null;
  if (!known.has(form)) known.set(form, new Draft(form));
  return known.get(form);
}

const unkept = () =>
  [...document.querySelectorAll(FORMS)].map((form) => known.get(form)).filter((draft) => draft?.unkept);

// Keeps everything on the page; resolves to the drafts that could not be kept.
async function keepAll() {
  const drafts = unkept();
  for (const draft of drafts) draft.quiet = true;
  const all = Promise.all(drafts.map((draft) => draft.keep())).then(() => true);
  while (!(await Promise.race([all, pause(PATIENCE)])) && isSignInAwaited());
  for (const draft of drafts) draft.quiet = false;
  return unkept();
}

// Whether what `element` asks for takes the place of the draft's form.
function isReplacedBy(element, draft) {
  const target = element.closest("[hx-target]")?.getAttribute("hx-target") ?? "";
  return target.startsWith("#") && Boolean(document.querySelector(target)?.contains(draft.form));
}

function mayLose(draft) {
  const may = window.confirm(draft.status?.dataset.leave ?? draft.form.dataset.unkept);
  draft.submitted = may;
  return may;
}

let passing = false;

// Does again what was held while words were kept.
function pass(again) {
  passing = true;
  again();
  passing = false;
}

document.addEventListener("input", (event) => {
  if (event.target.type !== "file") draftOf(event.target.form ?? event.target)?.input(); // files are not kept
});

// A browser that comes back to a page may fill in what was typed there, without a word to scripts.
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-draft]")) {
    const texts = [...form.querySelectorAll("textarea, input:not([type=hidden], [type=radio], [type=checkbox])")];
    if (!known.has(form) && texts.some((field) => field.value !== field.defaultValue)) draftOf(form).input();
  }
});

// Clicks the button again, because htmx sends the button that had the last click or focus.
function submit(form, button) {
  if (button?.isConnected) button.click();
  else form.requestSubmit();
}

const held = new Map(); // the button that was pressed last, of each form that is held

// The window hears of a submit before anything else does, and holds it until the words are kept. The form that signs in
// again is not held: the words wait for it.
addEventListener(
  "submit",
  async (event) => {
    const { target: form, submitter } = event;
    if (form.dataset.signIn !== undefined) return;
    const mine = draftOf(form);
    if (mine && !mine.status) mine.submitted = true;
    if (passing || !unkept().length) {
      if (mine) mine.submitted = true;
      return;
    }
    event.preventDefault();
    event.stopImmediatePropagation();
    const pressedBefore = held.has(form);
    held.set(form, submitter);
    if (pressedBefore) return;
    const left = await keepAll();
    const button = held.get(form);
    held.delete(form);
    // Without a connection the words would go with the page. They stay, and the page says so.
    if (mine?.failed && left.includes(mine)) return;
    const replaced = left.find((draft) => draft !== mine && isReplacedBy(form, draft));
    if (!replaced || mayLose(replaced)) pass(() => submit(form, button));
  },
  true,
);

function leaves(event, link) {
  const { button, metaKey, ctrlKey, shiftKey, altKey } = event;
  if (button || metaKey || ctrlKey || shiftKey || altKey) return false;
  if (link.hasAttribute("download") || !["", "_self"].includes(link.target)) return false;
  return link.href.split("#")[0] !== location.href.split("#")[0] || !link.hash;
}

addEventListener(
  "click",
  async (event) => {
    const link = event.target.closest?.("a[href]");
    if (passing || !link || !leaves(event, link) || !unkept().length) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    const replaced = (await keepAll()).find((draft) => isReplacedBy(link, draft));
    if (!replaced || mayLose(replaced)) pass(() => link.click());
  },
  true,
);

// What htmx asks for without a link or a button.
document.addEventListener("htmx:confirm", async (event) => {
  const inTarget = (draft) => event.detail.target.contains(draft.form);
  if (!unkept().some(inTarget)) return;
  event.preventDefault();
  const replaced = (await keepAll()).find(inTarget);
  if (!replaced || mayLose(replaced)) event.detail.issueRequest(true);
});

// What was typed while the answer was on its way is put into the form that comes, or kept if none does.
let carried = [];

document.addEventListener("htmx:beforeSwap", (event) => {
  if (event.detail.shouldSwap) carried = unkept().filter((draft) => event.detail.target.contains(draft.form));
});

document.addEventListener("htmx:afterSettle", () => {
  for (const draft of carried.filter(({ form }) => !form.isConnected && form.dataset.draft)) {
    const form = document.querySelector(`form[data-draft="${CSS.escape(draft.form.dataset.draft)}"]`);
    if (form) {
      for (const field of draft.form.querySelectorAll("textarea, input:not([type])")) {
        if (form.elements[field.name]) form.elements[field.name].value = field.value;
      }
      draftOf(form).input();
    } else {
      draft.sendOnce();
    }
  }
  carried = [];
});

// A letter that has been sent in is no draft any more.
document.addEventListener("draft:sent", async (event) => {
  const { revision } = event.detail;
  const draft = draftOf(event.target);
  const body = new URLSearchParams({ draft: revision });
  await send(draft.status.dataset.end, { method: "POST", body }).catch(() => {});
  if (draft.revision === revision) draft.revision = "";
});

function tryNow() {
  for (const draft of unkept()) draft.keep();
}

addEventListener("online", tryNow);
document.addEventListener("visibilitychange", tryNow);
addEventListener("beforeunload", (event) => {
  if (!unkept().length) return;
  event.preventDefault();
  tryNow(); // while the person reads the browser's question
});
