// A finished session, watched again. The server has folded the events into moments; of each it says what it
// changed, and here they are laid on each other up to the time that is shown.

import { moves } from "./motion.js";
import { Shore } from "./shore.js";
import { fill } from "./text.js";

const STATES = ["waiting", "fading", "held", "destroyed", "protected"];
const COAST = 1400;
const OFTEN = 60; // milliseconds between two looks at the clock: a picture a frame would say no more
const SVG = "http://www.w3.org/2000/svg";

const byId = (id) => document.getElementById(id);
const two = (number) => String(number).padStart(2, "0");

class Film {
  constructor({ moments, words, places, fates, levels }) {
    this.levels = levels;
    this.moments = moments;
    this.ground = places;
    this.first = new Map(Object.entries(fates).map(([n, state]) => [Number(n), state]));
    this.words = words;
    this.root = byId("session");
    this.prints = new Map([...document.querySelectorAll(".prints .print")].map((node) => [Number(node.dataset.n), node]));
    this.places = new Map([...document.querySelectorAll(".print")].map((node) => [node.dataset.id, node]));
    this.bars = new Map([...document.querySelectorAll(".bar")].map((bar) => [Number(bar.dataset.n), bar]));
    this.threads = [...document.querySelectorAll("#threads path")].map((path) => [path, path.dataset.ends.split(" ").map(Number)]);
    this.lines = new Map([...byId("log").children].map((row) => [Number(row.dataset.seq), row]));
    this.shore = new Shore(byId("map"), byId("shore"), byId("shore-before"));
    this.time = byId("time");
    this.time.max = moments.at(-1).t;
    this.playing = null;
    this.begin();
  }

  begin() {
    const started = Number(this.lines.values().next().value?.dataset.seq || 0);
    const asked = document.querySelector("#log [aria-current]")?.closest("li");
    this.at = -1;
    byId("play").addEventListener("click", () => this.toggle());
    this.time.addEventListener("input", () => {
      this.stop();
      this.show(this.indexOf(Number(this.time.value)), Number(this.time.value));
    });
    this.time.addEventListener("change", () => this.say());
    for (const [id, way] of [["earlier", -1], ["later", 1]]) {
      byId(id).addEventListener("click", (event) => {
        event.preventDefault();
        this.step(way);
      });
    }
    byId("log").addEventListener("click", (event) => {
      const row = event.target.closest("li[data-seq]");
      if (!row || event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      this.jump(Number(row.dataset.seq));
    });
    byId("map").addEventListener("submit", (event) => {
      event.preventDefault();
      this.seek(event.submitter);
    });
    document.addEventListener("keydown", (event) => this.key(event));
    document.addEventListener("visibilitychange", () => document.hidden && this.stop());
    let resized;
    addEventListener("resize", () => {
      clearTimeout(resized);
      resized = setTimeout(() => this.draw(0), 120);
    });
    byId("drawn").remove();
    this.rove();
    const seq = Number(new URLSearchParams(location.search).get("at") || asked?.dataset.seq || started);
    this.show(Math.max(0, this.moments.findLastIndex((moment) => moment.seq <= seq)));
  }

  // The last moment up to a time, in seconds since the start.
  indexOf(seconds) {
    let low = 0, high = this.moments.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.moments[middle].t <= seconds) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  // --- What is so at one moment ---
  show(index, seconds = this.moments[index].t) {
    this.seconds = seconds;
    if (Math.abs(Number(this.time.value) - seconds) > 0.005) this.time.value = seconds;
    if (index === this.at) return;
    const forward = index > this.at && this.at >= 0;
    if (!forward) {
      this.now = {};
      this.fates = new Map(this.first);
    }
    const before = this.gone();
    for (let i = forward ? this.at + 1 : 0; i <= index; i++) {
      const { fates, ...said } = this.moments[i];
      Object.assign(this.now, said);
      for (const [n, state] of Object.entries(fates || {})) this.fates.set(Number(n), state);
    }
    const few = forward && index - this.at < 20;
    this.at = index;
    this.tell();
    this.draw(few && this.gone() !== before ? COAST : 0);
  }

  gone() {
    let count = 0;
    for (const state of this.fates?.values() || []) count += state === "destroyed";
    return count;
  }

  tell() {
    const { now, words } = this;
    const [word, mark, kind] = words.states[now.state] || words.states.running;
    this.root.dataset.state = now.state;
    this.root.querySelector("[data-part=word]").textContent = word;
    byId("state").className = `state state--big${kind ? ` state--${kind}` : ""}`;
    byId("state").querySelector(".mark").className = `mark mark--${mark}`;
    for (const node of document.querySelectorAll("[data-count]")) node.textContent = now.counts[node.dataset.count];
    byId("elapsed").textContent = fill(words.elapsed, { time: this.span(now.elapsed) });
    byId("empty").textContent = now.current ? `[ ${now.current} ]` : "[ \u00a0 ]";
    const cells = byId("passes");
    while (cells.children.length < this.levels) cells.append(document.createElement("li"));
    cells.hidden = !now.current;
    [...cells.children].forEach((cell, i) => cell.classList.toggle("is-done", i < now.level));
    byId("nothing").hidden = now.state !== "finished";
    for (const [n, state] of this.fates) this.mark(n, state);
    this.age();
    this.point(now.current);
    this.ends();
    this.follow();
  }

  span(seconds) {
    return seconds < 3600
      ? fill(this.words.minutes, { m: Math.floor(seconds / 60), s: two(seconds % 60) })
      : fill(this.words.hours, { h: Math.floor(seconds / 3600), m: two(Math.floor((seconds % 3600) / 60)) });
  }

  mark(n, state) {
    const print = this.prints.get(n);
    if (!print) return;
    const current = n === this.now.current;
    if (print.dataset.was !== `${state}${current}`) {
      print.dataset.was = `${state}${current}`;
      for (const other of STATES) print.classList.toggle(`is-${other}`, other === state);
      print.classList.toggle("is-current", current);
      print.setAttribute("aria-label", `${fill(this.words.memory, { n })}, ${this.words.fates[state]}`);
      this.bars.get(n)?.setAttribute("class", `bar is-${state}`);
    }
  }

  // The longer a place is empty, the fainter its corners; a thread with one end gone hangs loose.
  age() {
    const gone = [...this.fates].filter(([, state]) => state === "destroyed").map(([n]) => n).sort((a, b) => a - b);
    gone.forEach((n, i) => {
      const age = Math.min(2, Math.floor((i * 3) / gone.length));
      for (const other of [0, 1, 2]) this.prints.get(n)?.classList.toggle(`age-${other}`, other === age);
    });
    const empty = new Set(gone);
    for (const [path, ends] of this.threads) path.classList.toggle("is-loose", ends.some((n) => empty.has(n)));
  }

  point(n) {
    const bar = this.bars.get(n), pointer = byId("now");
    pointer.toggleAttribute("hidden", !bar);
    if (!bar) return;
    pointer.setAttribute("x", `${parseFloat(bar.getAttribute("x")) + parseFloat(bar.getAttribute("width")) / 2}%`);
  }

  // Before the first line and after the last there is nowhere to go.
  ends() {
    const seqs = [...this.lines.keys()], here = this.moments[this.at].seq;
    for (const [id, end] of [["earlier", here <= seqs[0]], ["later", here >= seqs.at(-1)]]) {
      const link = byId(id);
      if (end) link.setAttribute("aria-disabled", "true");
      else link.removeAttribute("aria-disabled");
      if (!link.hasAttribute("href")) link.href = "#log";
    }
  }

  // The log stands where the time does; the line of a pass is that of what was logged last.
  follow() {
    let logged = this.at;
    while (logged > 0 && !this.moments[logged].logged) logged--;
    const row = this.lines.get(this.moments[logged].seq);
    if (!row || row === this.row) return;
    this.row?.firstElementChild.removeAttribute("aria-current");
    this.row = row;
    row.firstElementChild.setAttribute("aria-current", "step");
    const time = row.querySelector("time");
    byId("clock").textContent = time.textContent;
    byId("clock").dateTime = time.dateTime;
    byId("line").textContent = row.querySelector("span").textContent;
    this.time.setAttribute("aria-valuetext", fill(this.words.where, {
      at: time.textContent, gone: this.now.counts.destroyed, total: this.first.size,
    }));
    const log = byId("log");
    log.scrollTop = row.offsetTop - log.offsetTop - log.clientHeight / 2 + row.offsetHeight / 2;
  }

  draw(fade) {
    const memories = this.ground.map((place) => ({ ...place, state: this.fates.get(place.n) }));
    this.shore.draw(memories, { over: this.now.state === "finished", duration: this.playing && moves() ? fade : 0 });
    this.trail();
  }

  // From each copy found to the memory it holds.
  trail() {
    for (const node of this.places.values()) node.classList.remove("is-copy");
    const box = byId("map").getBoundingClientRect(), lines = [];
    for (const [n, places] of Object.entries(this.now.copies || {})) {
      for (const place of places) {
        const copy = this.places.get(place), target = this.prints.get(Number(n));
        if (!copy || !target) continue;
        copy.classList.add("is-copy");
        const a = copy.getBoundingClientRect(), b = target.getBoundingClientRect();
        const x1 = a.right - box.x + 3, y1 = a.y + a.height / 2 - box.y, x2 = b.x - box.x - 5, y2 = b.y + b.height / 2 - box.y;
        const lift = Math.min(90, Math.abs(x2 - x1) * 0.16);
        for (const kind of ["under", "over"]) {
          const path = document.createElementNS(SVG, "path");
          path.setAttribute("class", kind);
          path.setAttribute("d", `M${x1} ${y1}C${x1 + (x2 - x1) * 0.3} ${y1 - lift} ${x1 + (x2 - x1) * 0.7} ${y2 - lift} ${x2} ${y2}`);
          lines.push(path);
        }
      }
    }
    byId("trails").replaceChildren(...lines);
  }

  // --- Going through it ---
  toggle() {
    if (this.playing) {
      this.stop();
      this.say();
    } else this.play();
  }

  play() {
    if (this.at === this.moments.length - 1) this.show(0);
    let last = performance.now();
    this.playing = setInterval(() => {
      const now = performance.now();
      const seconds = this.seconds + ((now - last) / 1000) * Number(byId("speed").value);
      last = now;
      const end = this.moments.at(-1).t;
      this.show(this.indexOf(seconds), Math.min(end, seconds));
      if (seconds >= end) this.toggle();
    }, OFTEN);
    this.worded();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
    this.worded();
  }

  worded() {
    const button = byId("play");
    button.querySelector("span").textContent = this.playing ? this.words.stop : this.words.play;
    button.querySelector(".mark").className = `mark mark--${this.playing ? "paused" : "running"}`;
  }

  // Who listens is told where they are when it stands still, and not while it runs.
  say() {
    byId("said").textContent = byId("line").textContent;
  }

  jump(seq) {
    this.stop();
    this.show(this.moments.findIndex((moment) => moment.seq === seq));
    this.say();
  }

  step(way) {
    const seqs = [...this.lines.keys()], here = this.moments[this.at].seq;
    const next = way > 0 ? seqs.find((seq) => seq > here) : seqs.findLast((seq) => seq < here);
    if (next !== undefined) this.jump(next);
  }

  // Where something first happens to a memory.
  seek(print) {
    const n = print?.dataset.n;
    const moment = n && this.moments.find(({ fates }) => fates && n in fates);
    if (moment) this.jump(moment.seq);
  }

  key(event) {
    if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const at = document.activeElement;
    if (at?.closest("input, select, textarea")) return;
    if (at?.matches(".print")) return this.walk(event, at);
    if (event.key === " " && at?.closest("button, a, summary, [tabindex='0']")) return;
    const last = this.moments.length - 1;
    const act = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.step(-1),
      ArrowRight: () => this.step(1),
      Home: () => this.jump(this.moments[0].seq),
      End: () => this.jump(this.moments[last].seq),
    }[event.key];
    if (!act || event.key !== " " && at?.closest("[tabindex='0']")) return;
    event.preventDefault();
    act();
  }

  // --- The map: one tab stop, arrows within, in the order of time ---
  rove() {
    this.order = [...document.querySelectorAll("#childhood .print, #prints .print")].sort((a, b) => (a.dataset.n || 0) - (b.dataset.n || 0));
    this.order.forEach((print, i) => (print.tabIndex = i === this.order.length - 1 ? 0 : -1));
    byId("map").addEventListener("focusin", (event) => {
      if (!event.target.matches(".print")) return;
      for (const print of this.order) print.tabIndex = print === event.target ? 0 : -1;
    });
  }

  walk(event, from) {
    const at = this.order.indexOf(from);
    const to = { ArrowLeft: this.order[at - 1], ArrowRight: this.order[at + 1], Home: this.order[0], End: this.order.at(-1) }[event.key];
    if (!to) return;
    event.preventDefault();
    to.focus();
  }
}

const film = JSON.parse(byId("film").textContent);
document.documentElement.classList.add("script");
if (film.moments.length) new Film(film);
