// The memory at work: the real frames of the job, one crossfading into the next.

import { animate, moves } from "./motion.js";

const FRAME = 18; // pixels of paper around a picture, both sides together
const SLOWEST = 900;
const AREA = [900, 745]; // the map's measures in pixels when places were computed

export class Stage {
  constructor(figure, words) {
    this.figure = figure;
    this.words = words;
    this.ticket = 0;
    this.ready = Promise.resolve();
  }

  // Milliseconds of a crossfade: never longer than most of a pass lasts.
  pace(present, levels) {
    const pass = present.pace_s ? (present.pace_s * 1000) / levels : SLOWEST;
    return Math.min(SLOWEST, 0.8 * pass);
  }

  clear() {
    this.ticket++;
    this.n = null;
    this.figure.querySelectorAll("img, .stage-print").forEach((node) => node.remove());
  }

  // The frame around a memory's pictures; all of them are shown at its size, however little is left in them.
  frame(memory) {
    let print = this.figure.querySelector(".stage-print");
    if (!print || this.n !== memory.id) {
      this.clear();
      this.n = memory.id;
      print = document.createElement("div");
      print.className = "stage-print";
      print.append(document.createElement("div"));
      this.flakes = document.createElement("canvas");
      this.flakes.className = "flakes";
      print.append(this.flakes);
      this.figure.append(print);
    }
    this.fit(print, memory);
    return print;
  }

  // An alarm takes room from the figure, and gives it back.
  fit(print, memory) {
    const aspect = memory.w ? (memory.w * AREA[0]) / (memory.h * AREA[1]) : 4 / 3;
    const width = Math.min(this.figure.clientWidth - FRAME, (this.figure.clientHeight - FRAME) * aspect);
    print.style.width = `${width + FRAME}px`;
    print.style.height = `${width / aspect + FRAME}px`;
    this.flakes.width = width + 90;
    this.flakes.height = width / aspect + 90;
  }

  // Shows an image that is loaded already (the print that was on the map).
  take(memory, image) {
    const print = this.frame(memory);
    print.firstChild.replaceChildren(image);
    image.alt = this.words.memory.replace("%(n)s", memory.n ?? "");
  }

  // Shows what is at `url` when it has arrived; a frame that is gone by then is never shown.
  async show(memory, url, fade) {
    const ticket = ++this.ticket;
    const image = new Image();
    image.src = url;
    image.alt = this.words.memory.replace("%(n)s", memory.n ?? "");
    await Promise.all([image.decode().catch(() => {}), this.ready]);
    if (ticket !== this.ticket || !image.naturalWidth) return;
    const box = this.frame(memory).firstChild;
    this.ticket = ticket;
    const old = [...box.children];
    box.append(image);
    this.scatter(memory);
    if (old.length) await animate(image, [{ opacity: 0 }, { opacity: 1 }], { duration: fade, easing: "linear" });
    old.forEach((node) => node.remove());
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
