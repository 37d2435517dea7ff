// For who answers for the night: what can still be kept, who is there, and how long a call has waited.

import { send } from "../page/account.js";
import { fill, write } from "./text.js";

const HERE = 10000;
const GOING = ["waiting", "fading", "held"];

export class Night {
  constructor(words, panel) {
    this.words = words;
    this.panel = panel;
    setInterval(() => this.waited(), 1000);
  }

  // The address may be missing: a wall says nothing, and watches.
  attend(url) {
    if (this.url === url) return;
    clearInterval(this.timer);
    this.url = url;
    if (!url) return;
    this.timer = setInterval(() => this.here(), HERE);
    this.here();
  }

  async here() {
    if (document.hidden || this.asking) return;
    this.asking = true; // it takes long if the sign-in has ended
    try {
      const response = await send(this.url, { method: "POST", headers: { Accept: "application/json", Poll: "1" } });
      if (response.ok) this.people((await response.json()).people);
    } catch {
      // The stream says whether the connection is lost.
    } finally {
      this.asking = false;
    }
  }

  set(name, text) {
    const node = document.querySelector(`[data-night="${name}"]`);
    if (node) write(node, text);
  }

  people(people) {
    if (!people) return;
    for (const name of ["responsible", "in_charge"]) this.set(name, people[name] || this.words.nobody);
    this.set("here", people.here.join(", ") || this.words.nobody);
  }

  state(present) {
    const map = present.memories.filter((memory) => memory.zone === "map" && memory.n !== null);
    const going = map.filter((memory) => GOING.includes(memory.state));
    const bits = map.reduce((sum, memory) => sum + (memory.state === "destroyed" ? 0 : memory.bits), 0);
    const whole = going.filter((memory) => !memory.level).length, half = going.length - whole;
    this.set("summary", fill(this.words.recoverable, { whole: String(whole), half: String(half) }));
    this.set("untouched", String(whole));
    this.set("partly", String(half));
    // What this night destroyed, as in the head of the panel: an earlier night may have, too.
    this.set("gone", String(present.counts.destroyed));
    this.set("bits", fill(this.words.bits, { bits: this.panel.figure.format(bits) }));
    this.people(present.people);
    this.attend(present.controls?.here);
  }

  waited() {
    for (const node of document.querySelectorAll("[data-since]")) {
      const seconds = Math.max(0, Math.floor((Date.now() - Date.parse(node.dataset.since)) / 1000));
      write(node, fill(this.words.unanswered, { time: this.panel.span(seconds) }));
    }
  }
}
