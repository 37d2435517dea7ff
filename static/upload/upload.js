// Sends files in pieces (tus 1.0), tells the truth about each, and goes on after a cut or a reload. Only the address
// of an unfinished upload is remembered, with the file's name, size and time, for as long as the tab lives.

const form = document.getElementById("bring");
const queue = document.getElementById("queue");
const PIECE = 8 * 1024 * 1024; // bytes in a request: a proxy that limits bodies lets it through
const AT_ONCE = 2;
const PATIENCE = [500, 1500, 4000, 10000]; // milliseconds before each further attempt
const ASKED = 6; // further attempts while the server says when to come again
const MEMORY = "upload:";

class Refusal extends Error {}
// `after`: milliseconds that the server asks to wait, if it answered at all.
class Cut extends Error {
  constructor(after = 0) {
    super();
    this.after = after;
  }
}
class Canceled extends Error {}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
const encode = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
const keyOf = (file) => `${MEMORY}${file.size}:${file.lastModified}:${file.name}`;
const sizeOf = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

function start() {
  const words = form.dataset;
  const token = form.elements.csrfmiddlewaretoken.value;
  const sum = document.getElementById("sum");
  const waiting = [];
  let running = 0;
  let arrived = 0;

  // fetch says nothing of what has left; a bar that stands at nothing and then is full helps nobody.
  function ask(method, where, { headers = {}, body = null, progress = null, item } = {}) {
    return new Promise((done, fail) => {
      const request = new XMLHttpRequest();
      request.open(method, where);
      const all = { "X-CSRFToken": token, "Tus-Resumable": "1.0.0", ...headers };
      for (const [name, value] of Object.entries(all)) request.setRequestHeader(name, value);
      if (progress) request.upload.onprogress = (event) => progress(event.loaded);
      request.onload = () => done(request);
      request.onerror = () => fail(new Cut());
      request.onabort = () => fail(new Canceled());
      item.request = request;
      request.send(body);
    });
  }

  function sentence(request) {
    try {
      return JSON.parse(request.responseText).error;
    } catch {
      return `${request.status} ${request.statusText}`;
    }
  }

  function refuse(request) {
    if (request.status >= 500 && request.status !== 507) {
      throw new Cut(1000 * Number(request.getResponseHeader("Retry-After")));
    }
    // What is in the file does not change by sending it again; room, sessions and pages do.
    throw Object.assign(new Refusal(sentence(request)), { final: [413, 422].includes(request.status) });
  }

  async function announce(item) {
    const said = { "Upload-Length": item.file.size, "Upload-Metadata": `filename ${encode(item.file.name)}` };
    const request = await ask("POST", "/upload/", { headers: said, item });
    if (request.status !== 201) refuse(request);
    item.where = request.getResponseHeader("Location");
    sessionStorage.setItem(keyOf(item.file), item.where);
    return 0;
  }

  // Where it stands on the other side, or from the beginning where nobody knows of it any more.
  async function standing(item) {
    item.where = sessionStorage.getItem(keyOf(item.file));
    if (!item.where) return announce(item);
    const request = await ask("HEAD", item.where, { item });
    if (request.status === 200) return Number(request.getResponseHeader("Upload-Offset"));
    if (request.status === 404 || request.status === 410) return announce(item);
    return refuse(request);
  }

  async function send(item) {
    let offset = await standing(item);
    for (;;) {
      const from = offset;
      item.show(from);
      const request = await ask("PATCH", item.where, {
        headers: { "Upload-Offset": from, "Content-Type": "application/offset+octet-stream" },
        body: item.file.slice(from, from + PIECE),
        progress: (sent) => item.show(Math.min(from + sent, item.file.size)),
        item,
      });
      if (request.status === 200) return;
      if (request.status === 423) throw new Cut(); // the request that was cut is still being put away
      if (request.status !== 204 && request.status !== 409) refuse(request);
      offset = Number(request.getResponseHeader("Upload-Offset"));
      if (request.status === 204 && offset <= from) throw new Cut();
    }
  }

  async function bring(item) {
    for (let attempt = 0; ; attempt += 1) {
      const before = item.offset;
      try {
        await send(item);
        sessionStorage.removeItem(keyOf(item.file));
        item.finish();
        return;
      } catch (error) {
        if (error instanceof Canceled) return;
        if (!(error instanceof Cut || error instanceof Refusal)) throw error;
        if (item.offset > before) attempt = 0;
        if (error instanceof Cut && attempt < PATIENCE.length + (error.after ? ASKED : 0)) {
          await pause(PATIENCE[attempt] ?? error.after);
          if (item.canceled) return;
          continue;
        }
        if (error instanceof Refusal) sessionStorage.removeItem(keyOf(item.file));
        item.fail(error instanceof Cut ? words.cut : error.message, error.final);
        return;
      }
    }
  }

  function work() {
    while (running < AT_ONCE && waiting.length) {
      running += 1;
      bring(waiting.shift()).finally(() => {
        running -= 1;
        work();
      });
    }
  }

  function element(tag, className, text = "") {
    return Object.assign(document.createElement(tag), { className, textContent: text });
  }

  function makeItem(file) {
    const row = element("li", "bring-item");
    const state = element("span", "bring-state", words.waiting);
    const bar = Object.assign(document.createElement("progress"), { max: Math.max(1, file.size), value: 0 });
    const button = Object.assign(element("button", "", words.cancel), { type: "button" });
    const name = element("span", "bring-name", file.name);
    button.setAttribute("aria-label", `${words.cancel}: ${file.name}`);
    bar.setAttribute("aria-label", file.name);
    row.append(name, state, button, bar);
    queue.append(row);
    const end = (text) => {
      row.classList.add("is-failed");
      state.setAttribute("role", "alert");
      state.textContent = text;
    };
    const item = {
      file,
      offset: 0,
      canceled: false,
      show(offset) {
        item.offset = offset;
        bar.value = offset;
        state.textContent = offset < file.size ? `${sizeOf(offset)} / ${sizeOf(file.size)}` : words.looking;
      },
      finish() {
        row.remove();
        arrived += 1;
        sum.textContent = `${arrived} ${words.sum}`;
        document.body.dispatchEvent(new CustomEvent("brought"));
      },
      fail(text, final = false) {
        end(text);
        if (final) button.remove();
        button.textContent = words.again;
        button.setAttribute("aria-label", `${words.again}: ${file.name}`);
      },
      again() {
        row.classList.remove("is-failed");
        state.removeAttribute("role");
        state.textContent = words.waiting;
        button.textContent = words.cancel;
        waiting.push(item);
        work();
      },
      async cancel() {
        item.canceled = true;
        item.request?.abort();
        button.remove();
        end(words.canceled);
        if (waiting.includes(item)) waiting.splice(waiting.indexOf(item), 1);
        sessionStorage.removeItem(keyOf(file));
        // The request that was given up may still be held on the other side for a moment.
        for (const ms of [0, ...PATIENCE]) {
          await pause(ms);
          const answer = item.where && (await ask("DELETE", item.where, { item }).catch(() => null));
          if (!answer || answer.status !== 423) return;
        }
      },
    };
    button.addEventListener("click", () => {
      if (row.classList.contains("is-failed")) item.again();
      else item.cancel();
    });
    return item;
  }

  function take(files) {
    for (const file of files) {
      const item = makeItem(file);
      if (file.size > Number(words.max)) item.fail(words.large, true);
      else if (!file.size) item.fail(words.empty, true);
      else waiting.push(item);
    }
    work();
  }

  // A page that was closed in the middle cannot open the files again by itself; it can say which they were.
  function tellUnfinished() {
    const names = Object.keys(sessionStorage)
      .filter((key) => key.startsWith(MEMORY))
      .map((key) => key.split(":").slice(3).join(":"));
    if (!names.length) return;
    const note = element("div", "notice notice--amber");
    note.append(element("b", "", words.unfinished), element("p", "", names.join(", ")));
    queue.before(note);
    form.addEventListener("change", () => note.remove(), { once: true });
  }

  form.classList.add("is-live");
  tellUnfinished();
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      take([...input.files]);
      input.value = "";
    });
  }
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const field = form.elements.words;
    if (!field.value.trim()) {
      field.focus();
      return;
    }
    take([new File([field.value], `${words.letter}.txt`, { type: "text/plain" })]);
    field.value = "";
    document.getElementById("describe").open = false;
  });
  const over = (on) => document.body.classList.toggle("is-over", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) over(false);
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    take([...event.dataTransfer.files]);
  });
  addEventListener("beforeunload", (event) => {
    if (running || waiting.length || form.elements.words.value.trim()) event.preventDefault();
  });
}

if (form && queue) start();
