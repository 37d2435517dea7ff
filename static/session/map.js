// The memories on the map and in the strip: real buttons in time order, made by the server, kept true here.

import { animate, fade, moves } from "./motion.js";

const SVG = "http://www.w3.org/2000/svg";
const STATES = ["waiting", "fading", "held", "destroyed", "protected"];

// Puts what is on its way above everything. box: pixels of the window.
function place(ghost, { x, y, width, height }) {
  Object.assign(ghost.style, { left: `${x}px`, top: `${y}px`, width: `${width}px`, height: `${height}px` });
  document.body.append(ghost);
}

export class Chart {
  constructor(words, choose) {
    this.words = words;
    this.map = document.getElementById("map");
    this.prints = [...document.querySelectorAll(".print")];
    this.byId = new Map(this.prints.map((print) => [print.dataset.id, print]));
    this.bars = new Map([...document.querySelectorAll(".bar")].map((bar) => [Number(bar.dataset.n), bar]));
    this.threads = [...document.querySelectorAll("#threads path")].map((path) => [
      path,
      path.dataset.ends.split(" ").map(Number),
    ]);
    this.now = document.getElementById("now");
    this.trails = document.getElementById("trails");
    // Childhood comes first in time, and first under the arrows.
    const order = document.querySelectorAll("#childhood .print, #prints .print");
    this.order = [...order].sort((a, b) => (a.dataset.n || 0) - (b.dataset.n || 0));
    this.rove(this.order.findLast((print) => !print.matches(".is-destroyed")) || this.order[0]);
    this.map.addEventListener("keydown", (event) => this.key(event));
    this.map.addEventListener("focusin", (event) => event.target.matches(".print") && this.rove(event.target));
    for (const form of this.map.querySelectorAll("form")) {
      form.addEventListener("submit", (event) => {
        event.preventDefault();
        if (event.submitter && !event.submitter.matches(".is-destroyed")) choose(event.submitter.dataset.id);
      });
    }
  }

  // --- One tab stop, arrows within ---
  rove(print) {
    for (const other of this.order) other.tabIndex = other === print ? 0 : -1;
  }

  key(event) {
    const from = event.target.closest(".print");
    if (!from || event.altKey || event.ctrlKey || event.metaKey) return;
    const at = this.order.indexOf(from);
    const to = {
      ArrowRight: () => this.order[at + 1],
      ArrowLeft: () => this.order[at - 1],
      ArrowUp: () => this.nearest(from, -1),
      ArrowDown: () => this.nearest(from, 1),
      Home: () => this.order[0],
      End: () => this.order.at(-1),
    }[event.key]?.();
    if (!to) return;
    event.preventDefault();
    to.focus();
  }

  nearest(from, way) {
    const middle = (print) => {
      const box = print.getBoundingClientRect();
      return [box.x + box.width / 2, box.y + box.height / 2];
    };
    const [x, y] = middle(from);
    let best = null, least = Infinity;
    for (const print of this.order) {
      const [px, py] = middle(print), down = (py - y) * way;
      if (down < 8) continue;
      const cost = down + 2 * Math.abs(px - x);
      if (cost < least) [best, least] = [print, cost];
    }
    return best;
  }

  // --- States ---
  name(memory) {
    const onMap = memory.zone === "map";
    const who = onMap ? this.words.memory.replace("%(n)s", memory.n) : this.words.childhood;
    const fate = this.words.fates[onMap || memory.state === "destroyed" ? memory.state : "childhood"];
    if (memory.state === "destroyed") return `${who}, ${fate}`;
    return [who, memory.title, memory.date, fate].filter(Boolean).join(", ");
  }

  // Makes one memory's button say and show what is true of it.
  show(memory, current) {
    const print = this.byId.get(memory.id);
    if (!print) return;
    for (const state of STATES) print.classList.toggle(`is-${state}`, memory.state === state);
    const atWork = memory.n !== null && memory.n === current && memory.state !== "destroyed";
    print.classList.toggle("is-current", atWork);
    print.setAttribute("aria-label", this.name(memory));
    const gone = memory.state === "destroyed";
    if (gone) print.setAttribute("aria-disabled", "true");
    else print.removeAttribute("aria-disabled");
    const image = print.querySelector("img");
    if (gone || atWork || !memory.picture) image?.remove();
    else if (!image) this.put(print, memory.picture);
    else if (image.getAttribute("src") !== memory.picture) image.src = memory.picture;
    if (memory.n === null) return;
    const bar = this.bars.get(memory.n);
    bar?.setAttribute("class", `bar is-${memory.state}`);
    for (const [path, ends] of this.threads) if (gone && ends.includes(memory.n)) path.classList.add("is-loose");
  }

  put(print, url) {
    const image = new Image();
    image.alt = "";
    image.decoding = "async";
    image.draggable = false;
    image.src = url;
    print.prepend(image);
    return image;
  }

  point(n) {
    const bar = this.bars.get(n);
    this.now.toggleAttribute("hidden", !bar);
    if (!bar) return;
    const middle = parseFloat(bar.getAttribute("x")) + parseFloat(bar.getAttribute("width")) / 2;
    this.now.setAttribute("x", `${middle}%`);
  }

  // The longer a place is empty, the fainter its corners.
  age(memories) {
    const gone = memories.filter((m) => m.state === "destroyed" && m.n !== null).sort((a, b) => a.n - b.n);
    gone.forEach((memory, i) => {
      const print = this.byId.get(memory.id), age = Math.min(2, Math.floor((i * 3) / gone.length));
      for (const old of [0, 1, 2]) print?.classList.toggle(`age-${old}`, old === age);
    });
  }

  choose(id) {
    for (const print of this.prints) print.classList.toggle("is-chosen", print.dataset.id === id);
  }

  // --- Motion ---
  // Takes a memory's image from its place to the stage; resolves to the image, or null if there was none. `after`: what
  // is waited for in its place, and whether it may still fly then.
  async fly(memory, stage, after = true) {
    const print = this.byId.get(memory.id), image = print?.querySelector("img");
    if (!image) return null;
    image.remove();
    const ghost = this.ghost(print, image);
    if (ghost && (await after)) await this.cross(ghost, print, stage, 18);
    ghost?.remove();
    image.removeAttribute("style");
    return image;
  }

  // Back to its place, as damaged as it is, and what arrives is the print's own image.
  async flyBack(memory, stage) {
    const print = this.byId.get(memory.id), own = print?.querySelector("img");
    const from = stage.querySelector(".stage-print"), image = from?.querySelector("img:last-of-type");
    const ghost = own && image && this.ghost(print, image);
    if (!ghost) return;
    own.style.visibility = "hidden";
    await this.cross(ghost, print, from, 0, true);
    own.removeAttribute("style");
    ghost.remove();
    image.src = ""; // as the stage lets go of one
  }

  // An image in a print's place, above everything; nothing where nothing may move.
  ghost(print, image) {
    const box = print.getBoundingClientRect();
    if (!moves() || !box.width) return null;
    // The print is tilted: its own measures, around the middle of the box that bounds it.
    const width = print.offsetWidth, height = print.offsetHeight, ghost = document.createElement("div");
    ghost.className = "ghost";
    ghost.append(image);
    Object.assign(image.style, { width: "100%", height: "100%", objectFit: "cover" });
    place(ghost, { x: box.x + (box.width - width) / 2, y: box.y + (box.height - height) / 2, width, height });
    return ghost;
  }

  // From a print's place to a box as it stands now, or back. margin: pixels of the box's paper, both sides together.
  cross(ghost, print, box, margin, back = false) {
    const to = box.getBoundingClientRect(), from = print.getBoundingClientRect(), tilt = getComputedStyle(print).rotate;
    const size = Math.min((to.width - margin) / print.offsetWidth, (to.height - margin) / print.offsetHeight);
    const x = to.x + to.width / 2 - (from.x + from.width / 2), y = to.y + to.height / 2 - (from.y + from.height / 2);
    const way = [
      { transform: `rotate(${/^-?[\d.]+(deg|rad)$/.test(tilt) ? tilt : "0deg"})`, boxShadow: "0 1px 4px var(--print-shadow)" },
      { transform: `translate(${x}px, ${y}px) scale(${size})`, boxShadow: "0 0 0 transparent" },
    ];
    return animate(ghost, back ? way.reverse() : way, { duration: 900, easing: "cubic-bezier(.5,0,.1,1)", fill: "forwards" });
  }

  // A number comes in where a memory was.
  empty(memory) {
    const number = this.byId.get(memory.id)?.querySelector("span");
    if (number) fade(number, 0, 1, { duration: 600, easing: "ease-out" });
  }

  // It holds on: a tremor, and nothing that flashes.
  tremble(print) {
    if (!print) return null;
    // Never further than three pixels from its place.
    const steps = [0, 2, -2, 2.8, -1, 2, -2.8, 1, -1, 0].map((x, i) => ({ transform: `translate(${x}px, ${i % 3 - 1}px)` }));
    return animate(print, steps, { duration: 700, iterations: 2 });
  }

  async shrink(print, copy) {
    if (!copy || !print.isConnected) return;
    const from = print.getBoundingClientRect(), to = copy.getBoundingClientRect();
    const ghost = print.cloneNode(true);
    ghost.querySelectorAll("canvas").forEach((node) => node.remove());
    ghost.classList.add("ghost");
    place(ghost, from);
    print.style.visibility = "hidden";
    const x = to.x + to.width / 2 - (from.x + from.width / 2), y = to.y + to.height / 2 - (from.y + from.height / 2);
    await animate(
      ghost,
      [
        { transform: "none", opacity: 1 },
        { transform: `translate(${x}px, ${y}px) scale(0.3)`, opacity: 1, offset: 0.8 },
        { transform: `translate(${x}px, ${y}px) scale(0.26)`, opacity: 0 },
      ],
      { duration: 1500, easing: "cubic-bezier(.5,0,.1,1)" },
    );
    ghost.remove();
  }

  // Dashed ways from copies in childhood to the memories they copy.
  trail(alarms, memories) {
    for (const print of this.prints) print.classList.remove("is-copy");
    const box = this.map.getBoundingClientRect();
    const lines = [];
    for (const alarm of alarms) {
      const copy = this.byId.get(alarm.copy) || this.byId.get(memories.find((m) => m.n !== null && m.n === alarm.copy_n)?.id);
      const target = this.byId.get(memories.find((m) => m.n === alarm.n && m.zone === "map")?.id);
      if (alarm.kind !== "off-map" || !copy || !target) continue;
      copy.classList.add("is-copy");
      const a = copy.getBoundingClientRect(), b = target.getBoundingClientRect();
      const x1 = a.right - box.x + 3, y1 = a.y + a.height / 2 - box.y;
      const x2 = b.x - box.x - 5, y2 = b.y + b.height / 2 - box.y;
      const lift = Math.min(90, Math.abs(x2 - x1) * 0.16);
      const way = `M${x1} ${y1}C${x1 + (x2 - x1) * 0.3} ${y1 - lift} ${x1 + (x2 - x1) * 0.7} ${y2 - lift} ${x2} ${y2}`;
      for (const kind of ["under", "over"]) {
        const path = document.createElementNS(SVG, "path");
        path.setAttribute("class", kind);
        path.setAttribute("d", way);
        lines.push(path);
      }
    }
    this.trails.replaceChildren(...lines);
  }
}
