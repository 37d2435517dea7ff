// What the panel says: the state, the figures of the memory at work, the log.

const fill = (text, values) => text.replace(/%\((\w+)\)s/g, (_, key) => values[key] ?? "");
const two = (number) => String(number).padStart(2, "0");

export class Panel {
  constructor(words) {
    this.words = words;
    this.root = document.getElementById("session");
    this.parts = {};
    for (const node of document.querySelectorAll(".panel [data-part]")) this.parts[node.dataset.part] ??= node;
    this.figure = new Intl.NumberFormat(words.lang);
    this.clock = new Intl.DateTimeFormat("en-GB", {
      hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: words.zone,
    });
    this.log = document.getElementById("log");
    this.said = document.getElementById("said");
    this.fact = Object.fromEntries(["remaining", "elapsed", "about", "nobody", "held", "answer"].map((id) => [
      id, document.getElementById(id),
    ]));
    this.mark = document.querySelector("#state .mark");
    this.head = document.getElementById("state");
    setInterval(() => this.tick(), 1000);
  }

  // --- State, counts, time ---
  state(present) {
    const [word, mark, kind] = this.words.states[present.state] || this.words.states.running;
    this.root.dataset.state = present.state;
    this.parts.word.textContent = word;
    this.mark.className = `mark mark--${mark}`;
    this.head.className = `state state--big${kind ? ` state--${kind}` : ""}`;
    const paused = present.state === "paused";
    this.fact.held.hidden = !paused;
    this.counts(present.counts);
    this.time(present);
    if (paused) this.pausedText(present);
  }

  counts(counts) {
    for (const node of document.querySelectorAll("[data-count]")) {
      const text = String(counts[node.dataset.count]);
      if (node.textContent !== text) node.textContent = text;
    }
  }

  // Anchors the clocks at what the server says; between its words they run by themselves.
  time(present) {
    this.anchor = performance.now();
    this.present = present;
    this.tick();
  }

  tick() {
    const { present, words } = this;
    if (!present) return;
    const running = present.state === "running" || present.state === "held";
    const since = running ? (performance.now() - this.anchor) / 1000 : 0;
    this.set(this.fact.elapsed, fill(words.elapsed, { time: this.span(Math.floor(present.elapsed_s + since)) }));
    let text = "";
    if (present.state === "paused") {
      const at = present.paused_at ? this.clock.format(new Date(present.paused_at)).slice(0, 5) : "";
      text = fill(present.paused_by ? words.held_by : words.held_since, { who: present.paused_by, at });
    } else if (running && present.remaining_s !== null) {
      text = fill(words.remaining, { time: this.left(Math.max(0, Math.round(present.remaining_s - since))) });
    }
    this.set(this.fact.remaining, text);
  }

  set(node, text) {
    if (node.textContent !== text) node.textContent = text;
  }

  span(seconds) {
    return seconds < 3600
      ? fill(this.words.minutes, { m: Math.floor(seconds / 60), s: two(seconds % 60) })
      : fill(this.words.hours, { h: Math.floor(seconds / 3600), m: two(Math.floor((seconds % 3600) / 60)) });
  }

  left(seconds) {
    if (seconds < 60) return this.words.under;
    if (seconds < 3600) return fill(this.words.about, { m: Math.round(seconds / 60) });
    const minutes = Math.round(seconds / 600) * 10;
    return fill(this.words.about_hours, { h: Math.floor(minutes / 60), m: two(minutes % 60) });
  }

  pausedText(present) {
    const memory = present.memories.find((m) => m.n !== null && m.n === present.current);
    this.parts["held-at"].textContent = memory?.level
      ? fill(this.words.held_at, memory)
      : this.words.held_before;
    this.parts["held-text"].textContent = memory ? fill(this.words.can_protect, memory) : this.words.nothing;
  }

  // --- The memory told of ---
  about(memory, present, chosen) {
    const over = present.state === "finished" || present.state === "aborted";
    const told = memory && (!over || chosen);
    this.fact.about.hidden = !told;
    this.fact.nobody.hidden = Boolean(told);
    if (!told) return;
    const { parts } = this;
    const chapter = present.chapters[memory.chapter ?? -1];
    this.set(parts.number, memory.n === null ? "[ ]" : `[${memory.n}]`);
    this.set(parts.title, memory.title || "");
    this.set(parts.date, memory.date || "");
    parts.chapter.hidden = !chapter;
    parts.chapter.className = `chapter chapter--${chapter?.color || "none"}`;
    this.set(parts.chapter, chapter?.name || "");
    parts.fate.hidden = !chosen && !["held", "destroyed", "protected"].includes(memory.state);
    this.set(parts.fate, this.words.fates[memory.zone === "map" ? memory.state : "childhood"]);
    this.set(parts.intensity, String(memory.intensity));
    this.set(parts.links, String(memory.links));
    this.set(parts.kind, this.words.kinds[memory.kind] || memory.kind);
    parts.back.hidden = !chosen;
    this.stored(memory);
  }

  stored(memory) {
    const { parts, words } = this;
    this.set(parts.bits, fill(words.bits, { bits: this.figure.format(memory.bits) }));
    this.set(parts.pass, memory.level ? fill(words.pass, memory) : words.untouched);
    while (parts.passes.children.length < memory.levels) parts.passes.append(document.createElement("li"));
    [...parts.passes.children].forEach((cell, i) => cell.classList.toggle("is-done", i < memory.level));
  }

  // --- The log: newest first, one line for a whole fade, read aloud a quarter at a time ---
  line(event) {
    if (!event.text) return;
    const top = this.log.firstElementChild;
    const same = event.kind === "pass" && top?.dataset.kind === "pass" && top.dataset.n === String(event.n);
    const row = same ? top : document.createElement("li");
    const time = document.createElement("time"), text = document.createElement("span");
    time.dateTime = event.at;
    time.textContent = this.clock.format(new Date(event.at));
    text.textContent = event.text;
    row.replaceChildren(time, text);
    row.dataset.seq = event.seq;
    row.dataset.kind = event.kind;
    if (event.n) row.dataset.n = event.n;
    if (!same) {
      // Who has scrolled back to read stays where they are.
      const reading = this.log.scrollTop > 4, height = this.log.scrollHeight;
      this.log.prepend(row);
      if (reading) this.log.scrollTop += this.log.scrollHeight - height;
      while (this.log.children.length > 400) this.log.lastElementChild.remove();
    }
    if (event.kind !== "pass" || event.level % 3 === 0) this.said.textContent = event.text;
  }

  lines(log) {
    this.log.replaceChildren();
    const said = this.said.textContent;
    for (const entry of [...log].sort((a, b) => a.seq - b.seq)) this.line(entry);
    this.said.textContent = said;
  }

  answer(text, alarm = false) {
    const box = this.fact.answer;
    box.hidden = !text;
    box.className = `notice notice--${alarm ? "alarm" : "amber"}`;
    box.textContent = text || "";
  }
}

export { fill };
