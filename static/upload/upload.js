// Sends files in pieces (tus 1.0), tells the truth about each, and goes on after a cut or a reload.
// Only the address of an unfinished upload is remembered here, never anything of the file.

const form = document.getElementById("bring");
const queue = document.getElementById("queue");
const PIECE = 4 * 1024 * 1024; // bytes in a request: small enough that a proxy lets it through
const AT_ONCE = 2;
const PATIENCE = [500, 1500, 4000, 10000]; // milliseconds before each further attempt

if (form && queue) {
  const words = form.dataset;
  const token = form.querySelector("[name=csrfmiddlewaretoken]").value;
  const waiting = [];
  let running = 0;
  let arrived = 0;

  const headers = (more) => ({ "X-CSRFToken": token, "Tus-Resumable": "1.0.0", Accept: "application/json", ...more });
  const nameOf = (file) => `upload:${file.name}:${file.size}:${file.lastModified}`;
  const encode = (text) => btoa(String.fromCharCode(...new TextEncoder().encode(text)));
  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  class Refusal extends Error {}

  async function sentence(response) {
    try {
      return (await response.json()).error;
    } catch {
      return `${response.status}`;
    }
  }

  async function announce(file) {
    const response = await fetch("/upload/", {
      method: "POST",
      headers: headers({
        "Upload-Length": file.size,
        "Upload-Metadata": `filename ${encode(file.name)}`,
      }),
    });
    if (response.status !== 201) throw new Refusal(await sentence(response));
    const where = response.headers.get("Location");
    sessionStorage.setItem(nameOf(file), where);
    return where;
  }

  async function standing(where) {
    const response = await fetch(where, { method: "HEAD", headers: headers() });
    return response.ok ? Number(response.headers.get("Upload-Offset")) : null;
  }

  async function send(item) {
    const { file } = item;
    let where = sessionStorage.getItem(nameOf(file));
    let offset = where ? await standing(where) : null;
    if (offset === null) {
      where = await announce(file);
      offset = 0;
    }
    item.where = where;
    for (;;) {
      item.show(offset);
      const response = await fetch(where, {
        method: "PATCH",
        headers: headers({ "Upload-Offset": offset, "Content-Type": "application/offset+octet-stream" }),
        body: file.slice(offset, offset + PIECE),
        signal: item.stop.signal,
      });
      if (response.status === 200) return;
      if (response.status === 204 || response.status === 409) {
        const next = Number(response.headers.get("Upload-Offset"));
        if (response.status === 409 && next === file.size) return;
        if (response.status === 204 && next === offset) throw new Refusal(words.cut);
        offset = next;
        continue;
      }
      if (response.status === 423) throw new TypeError("busy");
      throw new Refusal(await sentence(response));
    }
  }

  function makeItem(file) {
    const row = document.createElement("li");
    row.className = "bring-item";
    const name = Object.assign(document.createElement("span"), { className: "bring-name", textContent: file.name });
    const state = Object.assign(document.createElement("span"), { className: "mono", textContent: words.waiting });
    const bar = Object.assign(document.createElement("progress"), { max: file.size || 1, value: 0 });
    bar.setAttribute("aria-label", file.name);
    row.append(name, state, bar);
    queue.append(row);
    const item = {
      file,
      stop: new AbortController(),
      show(offset) {
        bar.value = offset;
        state.textContent = `${words.sending} ${Math.floor(offset / 1024)} / ${Math.ceil(file.size / 1024)} kB`;
      },
      done() {
        row.classList.add("is-done");
        state.textContent = words.arrived;
      },
      fail(text) {
        state.textContent = "";
        const error = Object.assign(document.createElement("p"), { className: "bring-error", textContent: text });
        error.setAttribute("role", "alert");
        const again = Object.assign(document.createElement("button"), { type: "button", textContent: words.again });
        again.addEventListener("click", () => {
          error.remove();
          again.remove();
          waiting.push(item);
          work();
        });
        row.append(error, again);
      },
    };
    return item;
  }

  async function bring(item) {
    for (let attempt = 0; ; attempt += 1) {
      try {
        await send(item);
        sessionStorage.removeItem(nameOf(item.file));
        item.done();
        arrived += 1;
        return;
      } catch (error) {
        const cut = error instanceof TypeError; // what fetch throws when the line is down
        if (cut && attempt < PATIENCE.length) {
          await pause(PATIENCE[attempt]);
          continue;
        }
        if (!cut) sessionStorage.removeItem(nameOf(item.file));
        item.fail(cut ? words.cut : error.message);
        return;
      }
    }
  }

  async function work() {
    while (running < AT_ONCE && waiting.length) {
      running += 1;
      bring(waiting.shift()).finally(() => {
        running -= 1;
        work();
        if (!running && !waiting.length && arrived && !queue.querySelector(".bring-error")) location.reload();
      });
    }
  }

  function take(files) {
    for (const file of files) {
      const item = makeItem(file);
      if (file.size > Number(words.max)) item.fail(words.large);
      else waiting.push(item);
    }
    work();
  }

  form.classList.add("is-live");
  for (const input of form.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      take([...input.files]);
      input.value = "";
    });
  }
  form.addEventListener("submit", (event) => {
    const field = form.elements.words;
    if (!field.value.trim()) return;
    event.preventDefault();
    take([new File([field.value], "letter.txt", { type: "text/plain", lastModified: Date.now() })]);
    field.value = "";
  });
  const over = (on) => document.body.classList.toggle("is-over", on);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    over(true);
  });
  document.addEventListener("dragleave", () => over(false));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    over(false);
    take([...event.dataTransfer.files]);
  });
  addEventListener("beforeunload", (event) => {
    if (running || waiting.length) event.preventDefault();
  });
}
