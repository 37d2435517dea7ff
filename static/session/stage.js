// The memory at work: the real frames of the job, one crossfading into the next.

import { noise } from "./coast.js";
import { animate, fade, moves } from "./motion.js";

const FRAME = 18; // pixels of paper around a picture, both sides together
const SLOWEST = 900;
const DYE = 36; // pixels: how far color runs out of what holds on
const AREA = [900, 745]; // the map's measures in pixels when places were computed

// Takes the picture out of an image. Chromium keeps every image whose `src` attribute was taken away, with the
// five nodes that would say its alternative, for as long as the page is open; one that has an empty address goes.
// Whoever waits for it is told: a decoding that is broken off need not come to an end of its own.
function empty(image) {
  image.src = "";
  image.dropped?.();
}

export class Stage {
  constructor(figure, words) {
    this.figure = figure;
    this.words = words;
    this.ticket = 0;
    this.ready = Promise.resolve();
    this.spare = []; // images that showed a frame which is gone: two are enough for a night
    this.veil = null; // dissolves one frame into the next, where the machine can (gl.js)
    this.room = [figure.clientWidth, figure.clientHeight];
    // Told when it changes (an alarm takes room from the figure), and never asked: a measure read at each pass,
    // after words were written, would lay the page out twice.
    new ResizeObserver(([{ contentRect: { width, height } }]) => {
      this.room = [Math.round(width), Math.round(height)];
      const print = figure.querySelector(".stage-print");
      if (print) this.fit(print, this.memory);
    }).observe(figure);
  }

  // Milliseconds of a crossfade: never longer than most of a pass lasts.
  pace(present, levels) {
    const pass = present.pace_s ? (present.pace_s * 1000) / levels : SLOWEST;
    return Math.min(SLOWEST, 0.8 * pass);
  }

  clear() {
    this.ticket++;
    if (this.coming) empty(this.coming);
    this.coming = null;
    this.wipe();
  }

  wipe() {
    this.n = null;
    this.veil?.clear();
    this.figure.querySelectorAll("img, .stage-print").forEach((node) => node.remove());
  }

  // The frame around a memory's pictures; all of them are shown at its size, however little is left in them.
  frame(memory) {
    let print = this.figure.querySelector(".stage-print");
    if (!print || this.n !== memory.id) {
      // What is on its way for this memory still comes: a flight ends while its first frame is being fetched.
      this.wipe();
      this.n = memory.id;
      print = document.createElement("div");
      print.className = "stage-print";
      const box = document.createElement("div");
      box.className = "stage-box";
      print.append(box);
      this.flakes = document.createElement("canvas");
      this.flakes.className = "flakes";
      print.append(this.flakes);
      this.figure.append(print);
    }
    this.memory = memory;
    this.fit(print, memory);
    return print;
  }

  fit(print, memory) {
    const aspect = memory.w ? (memory.w * AREA[0]) / (memory.h * AREA[1]) : 4 / 3;
    const width = Math.min(this.room[0] - FRAME, (this.room[1] - FRAME) * aspect);
    // Once per size, whatever passes: writing a style is a new layout.
    const size = `${width} ${aspect}`;
    if (print.dataset.size === size) return;
    print.dataset.size = size;
    print.style.width = `${width + FRAME}px`;
    print.style.height = `${width / aspect + FRAME}px`;
    this.flakes.width = width + 90;
    this.flakes.height = width / aspect + 90;
  }

  // Shows an image that is loaded already (the print that was on the map).
  take(memory, image) {
    const print = this.frame(memory);
    this.veil?.clear();
    print.querySelector(".stage-box").replaceChildren(image);
    image.alt = this.words.memory.replace("%(n)s", memory.n ?? "");
  }

  // Shows what is at `url` when it has arrived; a frame that is gone by then is never shown.
  async show(memory, url, duration) {
    const ticket = ++this.ticket;
    const image = this.spare.pop() || new Image();
    image.turn = ticket;
    // What is still on its way when a later frame is known is gone already, or will never be seen.
    if (this.coming) empty(this.coming);
    this.coming = image;
    image.src = url;
    image.alt = this.words.memory.replace("%(n)s", memory.n ?? "");
    const dropped = new Promise((resolve) => (image.dropped = resolve));
    await Promise.race([dropped, Promise.all([image.decode().catch(() => {}), this.ready])]);
    if (this.coming === image) this.coming = null;
    if (ticket !== this.ticket || !image.naturalWidth) return this.letGo(image);
    const box = this.frame(memory).querySelector(".stage-box");
    const old = [...box.querySelectorAll("img")], turns = old.map((node) => node.turn);
    if (this.veil) {
      // Without a frame before it, the one that is there already is where the dissolve begins.
      const first = old.at(-1), at = this.painting(memory);
      if (first && !this.veil.crop) this.veil.dissolve(box, first, { ...at, memory: { ...memory, level: Math.max(0, memory.level - 1) }, duration: 0 });
      this.veil.dissolve(box, image, { ...at, memory, duration: moves() ? duration : 0 });
    }
    box.insertBefore(image, box.querySelector("canvas"));
    this.scatter(memory);
    if (!this.veil && old.length) await fade(image, 0, 1, { duration, easing: "linear" });
    // One that has been let go of meanwhile may be showing a later frame by now.
    old.forEach((node, i) => node.turn === turns[i] && this.letGo(node));
  }

  // Nothing of a frame stays in an image that waits for the next one.
  letGo(image) {
    image.remove();
    empty(image);
    image.turn = null;
    if (this.spare.length < 2) this.spare.push(image);
  }

  // The chapter's tint and the paper, as the graphics processor takes colors.
  painting(memory) {
    const css = getComputedStyle(document.documentElement);
    const color = (name) => [1, 3, 5].map((at) => parseInt(css.getPropertyValue(name).trim().slice(at, at + 2), 16) / 255);
    const chapter = this.chapters?.[memory.chapter ?? -1]?.color;
    return { tint: color(chapter ? `--chapter-${chapter}` : "--ink-2"), paper: color("--paper") };
  }

  // It holds on: the color of its chapter runs out of it, at most DYE pixels far, along a ragged edge.
  bleed(memory) {
    const print = this.figure.querySelector(".stage-print");
    if (!print || print.querySelector(".dye")) return null;
    const canvas = document.createElement("canvas"), ctx = canvas.getContext("2d");
    const width = Math.ceil(print.offsetWidth / 2) + DYE, height = Math.ceil(print.offsetHeight / 2) + DYE;
    Object.assign(canvas, { width, height, className: "dye" });
    const picture = ctx.createImageData(width, height);
    const [r, g, b] = this.painting(memory).tint.map((share) => Math.round(share * 255));
    const away = (at, length) => Math.max(0, DYE / 2 - at, at - (length - DYE / 2));
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const far = (2 * Math.hypot(away(x, width), away(y, height))) / DYE, k = (y * width + x) * 4;
        const ragged = 0.62 * noise(x / 11, y / 11, 7) + 0.38 * noise(x / 3, y / 3, 8);
        picture.data.set([r, g, b], k);
        picture.data[k + 3] = far < 1 ? 215 * Math.min(1, Math.max(0, (1 - far) * 1.9 - ragged + 0.25)) : 0;
      }
    }
    ctx.putImageData(picture, 0, 0);
    print.prepend(canvas);
    return animate(canvas, [{ opacity: 0, scale: 0.9 }, { opacity: 1, scale: 1 }], { duration: 1200, easing: "ease-out" });
  }

  // Flakes come off the rim and drift to the upper right: a pure function of the pass, still between passes.
  scatter(memory) {
    const canvas = this.flakes, ctx = canvas.getContext("2d");
    ctx.clearRect(0, 0, canvas.width, canvas.height);
    if (!memory.level || !moves()) return;
    let seed = (memory.n || 1) * 7919;
    const dice = () => ((seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 4294967296);
    const count = Math.round(130 * Math.sin((Math.PI * memory.level) / memory.levels));
    for (let i = 0; i < count; i++) {
      const age = (memory.level / memory.levels) * dice(), top = dice() < 0.45, along = dice();
      // From a ragged rim: most of them near it, a few far out.
      const off = 56 * age * dice() * dice() - 24 * dice() * dice(), aside = 26 * (dice() - 0.35);
      const x = 45 + (top ? along * (canvas.width - 90) + aside : canvas.width - 90 + off);
      const y = 45 + (top ? -off : along * (canvas.height - 90) - aside);
      const size = 0.6 + 1.6 * dice() * (1 - age);
      ctx.fillStyle = `rgb(70 89 99 / ${Math.round(65 * (1 - age))}%)`;
      ctx.fillRect(x, y, size, size);
    }
  }
}
