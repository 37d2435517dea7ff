// The coast behind the memories: a picture that a worker draws, and the crossfade from the one before.
// One picture per destroyed memory; there is no loop of redrawing here, and nothing is drawn on the page's thread.

import { Coast, INKS, here } from "./coast.js";
import { fade, fades } from "./motion.js";

export class Shore {
  constructor(map, canvas, before) {
    this.map = map;
    this.canvas = canvas; // the lower of the two
    this.before = before;
    this.shown = null; // whichever of them holds the present
    this.ticket = 0;
    this.ready = new Promise((resolve) => (this.drawn = resolve)); // when there is a coast to see
    this.veil = null; // draws the crossfade itself, where the machine can (gl.js)
    const css = getComputedStyle(document.documentElement);
    this.inks = Object.fromEntries(INKS.map((name) => [name, css.getPropertyValue(`--${name}`).trim()]));
  }

  // Takes the measures of the map. Null where there is no map to draw (a narrow window).
  measure() {
    const width = this.map.clientWidth, height = this.map.clientHeight;
    if (getComputedStyle(this.canvas).position !== "absolute" || !width || !height) return null;
    const childhood = document.getElementById("sea").offsetLeft;
    return { width, height, childhood, scale: Math.min(2, devicePixelRatio || 1), inks: this.inks };
  }

  // Draws the coast as it is now. over: all white. duration: milliseconds the old one takes to go.
  async draw(memories, { over = false, duration = 0 } = {}) {
    const measures = this.measure();
    if (!measures) return;
    const size = `${measures.width} ${measures.height} ${measures.scale}`;
    const fresh = size !== this.size;
    this.size = size;
    const known = memories.map(({ x, y, w, h, state }) => ({ x, y, w, h, state }));
    const ticket = ++this.ticket;
    const picture = await this.ask({ ticket, measures: fresh ? measures : null, memories: known, over });
    // Two that went at nearly the same time: the later coast shows both.
    if (ticket === this.ticket && picture) this.put(picture, fresh ? 0 : duration);
    else picture?.close();
  }

  ask(question) {
    if (this.worker === undefined) this.hire();
    if (!this.worker) return Promise.resolve(this.alone(question));
    return new Promise((resolve) => {
      this.waiting.set(question.ticket, resolve);
      this.worker.postMessage(question);
    });
  }

  hire() {
    this.waiting = new Map();
    try {
      this.worker = new Worker(here, { type: "module" });
    } catch {
      this.worker = null;
      return;
    }
    this.worker.onmessage = ({ data }) => {
      this.waiting.get(data.ticket)?.(data.picture);
      this.waiting.delete(data.ticket);
    };
    // A browser without workers of this kind draws it here, more slowly.
    this.worker.onerror = () => {
      this.worker = null;
      this.size = "";
      for (const resolve of this.waiting.values()) resolve(null);
      this.waiting.clear();
      dispatchEvent(new Event("resize"));
    };
  }

  alone({ measures, memories, over }) {
    if (typeof OffscreenCanvas === "undefined") return null;
    if (measures) this.coast = new Coast(measures);
    return this.coast.picture(memories, over);
  }

  put(picture, duration) {
    const old = this.shown, next = old === this.canvas ? this.before : this.canvas;
    for (const canvas of [next, old]) canvas?.getAnimations().forEach((animation) => animation.cancel());
    const fading = duration && old && fades();
    const veiled = fading && this.veil?.cross(picture, duration);
    if (!fading) this.veil?.hold(picture);
    next.width = picture.width;
    next.height = picture.height;
    next.getContext("bitmaprenderer").transferFromImageBitmap(picture);
    next.hidden = false;
    this.shown = next;
    this.drawn();
    if (!old) return;
    const hide = () => {
      if (this.shown === next) old.hidden = true;
    };
    if (!fading || veiled) return hide();
    // The upper one fades, in or out; so the sea never shows through twice.
    const upper = this.before, [from, to] = upper === next ? [0, 1] : [1, 0];
    fade(upper, from, to, { duration, easing: "ease-in-out", fill: "both" })
      .then(() => {
        if (this.shown !== next) return;
        hide();
        upper.getAnimations().forEach((animation) => animation.cancel());
      });
  }
}
