// Takes files and words on the upload page and shows how far each is. How they are sent is in sending.js. The browser
// stores nothing: the page lists the uploads that are half-way, and one goes on when its file is chosen again.

import { keepFocus } from "../page/focus.js";
import { keepAwake } from "./awake.js";
import { filesOf, groupOf, headOf } from "./files.js";
import { bring, Canceled, Changed, discard, Refusal } from "./sending.js";

const form = document.getElementById("bring");
const queue = document.getElementById("queue");
// Files that are sent at once, in all windows together: a browser has six connections to a host, and pages need some.
const AT_ONCE = 2;

const sizeOf = (bytes) => {
  if (bytes < 1e6) return `${Math.ceil(bytes / 1e3)} kB`;
  return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`;
};
const element = (tag, className, text = "") => Object.assign(document.createElement(tag), { className, textContent: text });
const filled = (text, values) => text.replace(/\{(\w+)\}/g, (_all, name) => values[name]);

// Removes a file's row or its button. The focus goes to the next button on the list, else to the choice of files.
function remove(node) {
  const row = node.closest("li");
  const next = row.nextElementSibling?.querySelector("button") ?? row.previousElementSibling?.querySelector("button");
  keepFocus(() => node.remove(), () => next, () => document.getElementById("files"));
}

// The row of one file, and how far it is.
class Item {
  constructor(file, words, list) {
    Object.assign(this, { file, words, list, offset: 0, canceled: false, stopped: false });
    this.row = element("li", "bring-item");
    this.state = element("span", "bring-state", words.waiting);
    this.bar = Object.assign(document.createElement("progress"), { max: Math.max(1, file.size), value: 0 });
    this.button = Object.assign(element("button"), { type: "button" });
    this.bar.setAttribute("aria-label", file.name);
    this.labelButton(words.cancel);
    this.row.append(element("span", "bring-name", file.name), this.state, this.button, this.bar);
    this.button.addEventListener("click", () => (this.stopped ? list.again(this) : list.cancel(this)));
    queue.append(this.row);
  }

  // The button says what it does and, to a screen reader, with which file.
  labelButton(label) {
    this.button.textContent = label;
    this.button.setAttribute("aria-label", `${label}: ${this.file.name}`);
  }

  show(offset) {
    this.offset = offset;
    this.bar.value = offset;
    this.row.classList.remove("is-resting");
    this.state.textContent = offset < this.file.size ? `${sizeOf(offset)} / ${sizeOf(this.file.size)}` : this.words.looking;
  }

  // Says that the connection is cut, and that the upload goes on by itself.
  rest() {
    this.row.classList.add("is-resting");
    this.state.textContent = this.words.resting;
  }

  // `final`: trying again would not help.
  fail(text, final = false) {
    this.stopped = true;
    this.row.classList.remove("is-resting");
    this.row.classList.add("is-failed");
    this.state.setAttribute("role", "alert");
    this.state.textContent = text;
    if (final) remove(this.button);
    else this.labelButton(this.words.again);
  }

  // The very same file is here already. Trying again sends it all the same.
  failAsTwin({ message, twin }) {
    this.twin = twin;
    this.fail(message);
    this.labelButton(this.words.anyway);
  }

  wait() {
    this.stopped = false;
    this.row.classList.remove("is-failed");
    this.state.removeAttribute("role");
    this.state.textContent = this.words.waiting;
    this.labelButton(this.words.cancel);
  }

  // Keeps the row of a file that has arrived, with a link to the other keepsakes that look like it.
  pointOut(keepsake) {
    this.row.classList.add("is-alike");
    this.state.textContent = this.words.alike;
    this.bar.remove();
    const link = Object.assign(element("a", "button", this.words.compare), { href: filled(this.words.keepsake, { keepsake }) });
    link.setAttribute("aria-label", `${this.words.compare}: ${this.file.name}`);
    keepFocus(() => this.button.replaceWith(link), () => link, () => document.getElementById("files"));
  }
}

// All files of this page: those that wait, those that are being sent, and how many have arrived.
class List {
  constructor(words) {
    this.words = words;
    this.slots = [...Array(AT_ONCE).keys()]; // the free ones
    this.waiting = [];
    this.sum = document.getElementById("sum");
    this.bar = document.getElementById("sum-bar");
    this.all = document.getElementById("again-all");
    this.items = [];
    this.arrived = 0;
    this.all.addEventListener("click", () => {
      keepFocus(() => this.stopped().forEach((item) => this.again(item)), () => this.stopped()[0]?.button, () => queue.querySelector("button"));
    });
  }

  get busy() {
    return this.slots.length < AT_ONCE || this.waiting.length > 0;
  }

  stopped() {
    return this.items.filter((item) => item.stopped && !item.twin);
  }

  take(files, whenArrived) {
    const items = files.map((file) => Object.assign(new Item(file, this.words, this), { whenArrived }));
    this.items.push(...items);
    this.showSum();
    return Promise.all(items.map((item) => this.look(item)));
  }

  // Reads the first bytes of a file, and queues the file unless it is too large for its kind, empty or unreadable.
  async look(item) {
    const { file } = item;
    if (!file.size) return this.refuse(item, this.words.empty);
    try {
      item.head = await headOf(file);
    } catch {
      return this.refuse(item, this.words.changed);
    }
    const group = groupOf(item.head, file);
    if (file.size > Number(this.words[`${group}Max`])) return this.refuse(item, this.words[`${group}Large`]);
    if (!item.canceled) this.waiting.push(item);
    return this.sendWaiting();
  }

  refuse(item, text) {
    item.fail(text, true);
    this.uncount(item);
  }

  // Does not count a file any more, because it is refused or canceled.
  uncount(item) {
    this.items = this.items.filter((other) => other !== item);
    this.showSum();
  }

  // Sends waiting files while slots are free.
  sendWaiting() {
    while (this.slots.length && this.waiting.length) {
      const item = this.waiting.shift();
      item.slot = this.slots.shift();
      this.send(item).finally(() => {
        this.slots.push(item.slot);
        this.sendWaiting();
      });
    }
    keepAwake(this.busy);
    this.showSum();
  }

  async send(item) {
    try {
      const { keepsake, alike } = await bring(item, halfWay);
      this.arrived += 1;
      if (alike) item.pointOut(keepsake);
      else remove(item.row);
      item.whenArrived?.();
      document.body.dispatchEvent(new CustomEvent("brought"));
    } catch (error) {
      if (error instanceof Changed) {
        this.refuse(item, this.words.changed);
        discard(item.where);
      } else if (error instanceof Refusal) {
        if (error.final) this.refuse(item, error.message);
        else if (error.twin) item.failAsTwin(error);
        else item.fail(error.message || this.words.cut);
      } else if (!(error instanceof Canceled)) {
        item.fail(this.words.cut);
        throw error;
      }
    }
  }

  again(item) {
    item.wait();
    this.waiting.push(item);
    this.sendWaiting();
  }

  async cancel(item) {
    item.canceled = true;
    item.request?.abort();
    this.waiting = this.waiting.filter((other) => other !== item);
    this.refuse(item, this.words.canceled);
    await discard(item.where);
  }

  // Shows how many have arrived: "12 of 30 arrived and sealed".
  showSum() {
    const stopped = this.stopped().length;
    const total = this.items.length;
    const words = this.arrived < total ? filled(this.words.part, { n: this.arrived, total }) : `${this.arrived} ${this.words.sum}`;
    const text = total ? [words, stopped && filled(this.words.stopped, { n: stopped })].filter(Boolean).join(", ") : "";
    // A status is read aloud whenever it is written.
    if (this.sum.textContent !== text) this.sum.textContent = text;
    Object.assign(this.bar, { max: Math.max(1, total), value: this.arrived });
    this.bar.hidden = total < 2 || this.arrived === total;
    this.all.hidden = stopped < 2;
  }
}

// --- What is half-way ---

const halfWayRows = () => [...document.querySelectorAll("#half-way li")];

function removeHalfWay(row) {
  remove(row);
  if (!halfWayRows().length) document.getElementById("half-way")?.remove();
}

// Returns the address of the unfinished upload with this mark, and removes it from the page; null if there is none.
function halfWay(mark) {
  const row = halfWayRows().find((one) => one.dataset.mark === mark);
  if (!row) return null;
  removeHalfWay(row);
  return row.dataset.where;
}

for (const row of halfWayRows()) {
  row.querySelector("button").addEventListener("click", () => {
    discard(row.dataset.where);
    removeHalfWay(row);
  });
}

// --- The page ---

function start() {
  const words = form.dataset;
  const list = new List(words);
  const field = form.elements.words;
  const letterBox = document.getElementById("describe");
  const inField = (target) => Boolean(target.closest?.("textarea, input:not([type=file]), [contenteditable]"));

  // Puts words into the letter box, behind those that are there.
  function write(text) {
    letterBox.open = true;
    field.value = [field.value.trimEnd(), text.trim()].filter(Boolean).join("\n\n").slice(0, field.maxLength);
    field.dispatchEvent(new Event("input", { bubbles: true })); // its draft is kept
    field.focus();
  }

  async function takeAll(transfer) {
    const text = transfer.getData("text/plain");
    const { files, left } = await filesOf(transfer);
    const note = document.getElementById("left-out");
    note.textContent = left ? filled(words.left, { n: left }) : "";
    if (files.length) list.take(files);
    else if (text.trim() && !left) write(text);
  }

  form.classList.add("is-live");
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      list.take([...input.files]);
      input.value = "";
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!field.value.trim()) {
      field.focus();
      return;
    }
    const detail = { revision: form.elements.draft.value };
    list.take([new File([field.value], `${words.letter}.txt`, { type: "text/plain" })], () =>
      form.dispatchEvent(new CustomEvent("draft:sent", { bubbles: true, detail })),
    );
    field.value = "";
    keepFocus(() => {
      letterBox.open = false;
    }, () => letterBox.querySelector("summary"));
  });
  const over = (on) => document.body.classList.toggle("is-over", on);
  document.addEventListener("dragover", (event) => {
    if (inField(event.target) && !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    over(false);
    if (inField(event.target) && !event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    takeAll(event.dataTransfer);
  });
  document.addEventListener("paste", (event) => {
    const { clipboardData } = event;
    if (inField(event.target) && !clipboardData.types.includes("Files")) return;
    if (inField(event.target) && event.target !== field) return;
    event.preventDefault();
    takeAll(clipboardData);
  });
  addEventListener("beforeunload", (event) => {
    if (list.busy) event.preventDefault();
  });
}

if (form && queue) start();
