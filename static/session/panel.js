// What the panel says: the state, the figures of the memory at work, the log.

import { Log } from "./log.js";
import { fill, write } from "./text.js";

const two = (number) => String(number).padStart(2, "0");

export class Panel {
  constructor(words) {
    this.words = words;
    this.root = document.getElementById("session");
    this.parts = {};
    for (const node of document.querySelectorAll(".panel [data-part]")) this.parts[node.dataset.part] ??= node;
    this.figure = new Intl.NumberFormat(words.lang);
    this.book = new Log(words);
    this.clock = this.book.clock;
    this.log = this.book.list;
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
    // Only what has changed: the sheet hangs on these, and each writing of them costs every memory its style.
    if (this.root.dataset.state !== present.state) this.root.dataset.state = present.state;
    write(this.parts.word, word);
    const marks = `mark mark--${mark}`, heads = `state state--big${kind ? ` state--${kind}` : ""}`;
    if (this.mark.className !== marks) this.mark.className = marks;
    if (this.head.className !== heads) this.head.className = heads;
    const paused = present.state === "paused";
    this.fact.held.hidden = !paused;
    this.counts(present.counts);
    this.time(present);
    if (paused) this.pausedText(present);
  }

  counts(counts) {
    for (const node of document.querySelectorAll("[data-count]")) {
      write(node, String(counts[node.dataset.count]));
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
    write(this.fact.elapsed, fill(words.elapsed, { time: this.span(Math.floor(present.elapsed_s + since)) }));
    let text = "";
    if (present.state === "paused") {
      const at = present.paused_at ? this.clock.format(new Date(present.paused_at)).slice(0, 5) : "";
      text = fill(present.paused_by ? words.held_by : words.held_since, { who: present.paused_by, at });
    } else if (present.verified) {
      text = words.verified[present.verified] || words.verified.found;
    } else if (running && present.remaining_s !== null) {
      text = fill(words.remaining, { time: this.left(Math.max(0, Math.round(present.remaining_s - since))) });
    }
    write(this.fact.remaining, text);
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
    const at = present.paused_at ? this.clock.format(new Date(present.paused_at)) : "";
    write(this.parts["held-at"], fill(memory?.level ? this.words.held_at : this.words.held_before, { ...memory, at }));
    write(this.parts["held-text"], memory ? fill(this.words.can_protect, memory) : this.words.nothing);
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
    write(parts.number, memory.n === null ? "[ ]" : `[${memory.n}]`);
    write(parts.title, memory.title || "");
    write(parts.date, memory.date || "");
    parts.chapter.hidden = !chapter;
    parts.chapter.className = `chapter chapter--${chapter?.color || "none"}`;
    write(parts.chapter, chapter?.name || "");
    parts.fate.hidden = !chosen && !["held", "destroyed", "protected"].includes(memory.state);
    write(parts.fate, this.words.fates[memory.zone === "map" ? memory.state : "childhood"]);
    write(parts.intensity, String(memory.intensity));
    write(parts.links, String(memory.links));
    write(parts.kind, this.words.kinds[memory.kind] || memory.kind);
    parts.back.hidden = !chosen;
    this.stored(memory);
  }

  stored(memory) {
    const { parts, words } = this;
    write(parts.bits, fill(words.bits, { bits: this.figure.format(memory.bits) }));
    write(parts.pass, memory.level ? fill(words.pass, memory) : words.untouched);
    while (parts.passes.children.length < memory.levels) parts.passes.append(document.createElement("li"));
    [...parts.passes.children].forEach((cell, i) => cell.classList.toggle("is-done", i < memory.level));
  }

  // --- The log ---
  // raises: whether an alarm comes with it.
  line(event, raises = false) {
    this.book.line(event, raises);
  }

  lines(log) {
    this.book.lines(log);
  }

  answer(text, alarm = false) {
    const box = this.fact.answer;
    box.hidden = !text;
    box.className = `notice notice--${alarm ? "alarm" : "amber"}`;
    box.textContent = text || "";
  }
}
