// The session view. The server has drawn the present; from here on it follows what happens.

import { checkSignIn, send } from "../page/account.js";
import { Chart } from "./map.js";
import { Controls } from "./controls.js";
import { hush, moves, settle, stillWanted } from "./motion.js";
import { Night } from "./night.js";
import { Panel } from "./panel.js";
import { Shore } from "./shore.js";
import { Stage } from "./stage.js";
import { Stream } from "./stream.js";
import { fill, renew } from "./text.js";
import { focusOn, keepFocus } from "../page/focus.js";

const COAST = 1400;
const WHITE = 2400;
// What changes alarms, people or controls, which the server words.
const PIECES = new Set([
  "doctor-called", "doctor-called-again", "doctor-escalated", "doctor-acknowledged", "call-seen",
  "presence-asked", "presence-answered", "presence-missed", "responsible-left", "handover-offered",
  "handover-accepted", "handover-declined", "taken-over", "handed-back", "resumed",
  "damaged", "damage-decided", "storage-away", "fault", "stalled", "moves-again",
]);
// What raises an alarm. An alarm is read out where it stands, so the log reads out the same only where none came.
const RAISING = new Set([
  "held", "doctor-called", "doctor-escalated", "presence-asked", "handover-offered",
  "damaged", "storage-away", "fault", "stalled",
]);
const QUIET = 250; // milliseconds without an event after which a backlog has been told
const NO_FLIGHT_UNDER = 1.5; // seconds a memory

// A form in which somebody has typed words that nothing keeps.
const typedForm = () =>
  [...document.querySelectorAll("form[data-unkept]")].find((form) => form.querySelector("textarea")?.value.trim());

const read = (id) => JSON.parse(document.getElementById(id).textContent);

class Session {
  constructor(present, words) {
    this.words = words;
    this.root = document.getElementById("session");
    this.chosen = new URLSearchParams(location.search).get("memory");
    this.panel = new Panel(words);
    this.chart = new Chart(words, (id) => this.choose(id));
    this.stage = new Stage(document.getElementById("stage"), words);
    this.night = new Night(words, this.panel);
    this.alarmed = document.getElementById("alarms").textContent.trim();
    this.catching = false;
    this.controls = new Controls(words, {
      done: (_name, answer) => this.confirmed(answer),
      refused: (text) => this.panel.answer(text, true),
      said: (text) => this.panel.answer(text),
    });
    this.shore = new Shore(
      document.getElementById("map"), document.getElementById("shore"), document.getElementById("shore-before"),
    );
    this.sheet = document.getElementById("sheet");
    this.sheet.addEventListener("click", (event) => {
      if (!event.target.closest("[data-close-sheet]")) return;
      event.preventDefault();
      this.closeSheet();
    });
    this.sheet.addEventListener("keydown", (event) => event.key === "Escape" && this.closeSheet());
    document.querySelector("[data-back]")?.addEventListener("click", (event) => {
      event.preventDefault();
      this.choose(null);
    });
    this.take(present);
    this.dropGone();
    this.shore.ready.then(() => document.getElementById("drawn")?.remove());
    this.watch();
    this.dress();
  }

  // What an alarm led to is put away; the alarm, or whatever comes first, has the focus.
  closeSheet() {
    const form = typedForm();
    if (form && !window.confirm(form.dataset.unkept)) return;
    this.sheet.replaceChildren();
    [document.querySelector("#alarms a, #alarms button:not(:disabled)"), this.panel.head].some(focusOn);
  }

  // A frame may cease to exist between the page and its picture: then there is nothing to show, not a fault.
  dropGone() {
    const drop = (image) => image.naturalWidth || image.remove();
    this.root.addEventListener("error", (event) => event.target.tagName === "IMG" && drop(event.target), true);
    for (const image of this.root.querySelectorAll("img")) if (image.complete) drop(image);
  }

  // The layer above, where there may be one (gl.js); a machine that should not have it never loads it twice.
  async dress() {
    if (stillWanted() || !window.WebGL2RenderingContext) return;
    try {
      const { Layer } = await import("./gl.js");
      this.layer = new Layer(this.shore, this.stage);
      this.draw();
    } catch {
      // Software, no context, shaders refused: the page is whole without it.
    }
  }

  // Ends what moves, wherever it moves.
  settle() {
    this.moment = {};
    settle();
    this.layer?.settle();
  }

  // Nobody looks, or a backlog is being told: facts are kept, and the page is made once, afterwards.
  get unseen() {
    return document.hidden || this.catching;
  }

  // The present at once, after what nobody saw.
  appear() {
    clearTimeout(this.quiet);
    this.catching = false;
    hush(false);
    this.take(this.present);
    this.fetchPieces();
  }

  follow() {
    const url = new URL(this.present.stream_url, location.href);
    url.searchParams.set("owner", document.body.dataset.pageOwner);
    if ("wall" in this.root.dataset) url.searchParams.set("wall", "1");
    this.stream = new Stream(url.href, this.present.run, this.present.seq, {
      event: (event) => this.event(event),
      state: (state) => this.state(state),
      end: (why) => (why === "over" ? this.fetchPieces() : this.ended()),
      lost: () => this.lost(),
      found: () => this.found(),
    });
  }

  watch() {
    this.follow();
    document.addEventListener("visibilitychange", () => {
      this.settle();
      if (document.hidden) return;
      if (this.stream.wake()) this.catchUp();
      if (!this.catching) this.appear();
    });
    let resized;
    addEventListener("resize", () => {
      clearTimeout(resized);
      resized = setTimeout(() => this.draw(), 120);
    });
    addEventListener("pagehide", () => this.stream.close());
    addEventListener("beforeunload", (event) => !this.over && typedForm() && event.preventDefault());
    // A page that comes back out of the browser's cache would show what no longer exists.
    addEventListener("pageshow", (event) => event.persisted && location.reload());
  }

  // The stream has ended because of who watches: signed out, or with other rights. Nothing of the session stays then, but
  // for words that somebody is typing: they stay until their owner has signed in again, and then the stream goes on.
  async ended() {
    const typed = [...document.querySelectorAll("textarea, input[type=text]")].some((field) => field.value.trim());
    if (!typed || !(await checkSignIn())) {
      this.over = true; // whoever may not watch any more is not asked whether to stay
      return location.reload();
    }
    this.follow();
    await this.fetchPieces();
  }

  memory(n) {
    return n === null || n === undefined ? undefined : this.present.memories.find((m) => m.n === n);
  }

  // --- The whole present at once, without motion ---
  take(present) {
    this.present = present;
    this.latest ??= present.log.find((line) => line.kind === "destroyed")?.n;
    this.stage.chapters = present.chapters;
    this.settle();
    for (const memory of present.memories) this.chart.show(memory, present.current);
    this.chart.age(present.memories);
    this.chart.point(present.current);
    this.panel.state(present);
    this.night.state(present);
    this.tell();
    this.showStage(0);
    this.draw();
  }

  // A control was answered: wait until what it did is on this page, by the stream or, failing that, by asking.
  async confirmed(answer) {
    this.panel.answer(answer.changed === false ? answer.text : "");
    for (let turn = 0; turn < 20 && answer.seq > this.present.seq; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    if (answer.seq > this.present.seq) await this.fetchPieces();
  }

  state(present) {
    this.latest = undefined;
    this.take(present);
    this.panel.lines(present.log);
    this.fetchPieces();
  }

  draw(duration = 0) {
    if (this.unseen) return;
    const over = this.present.state === "finished";
    this.shore.draw(this.present.memories.filter((m) => m.zone === "map"), { over, duration });
    this.chart.trail(this.present.alarms, this.present.memories);
  }

  // --- Whom the panel tells of ---
  told() {
    const asked = this.present.memories.find((m) => m.id === this.chosen && m.state !== "destroyed");
    if (!asked || asked.n !== null && asked.n === this.present.current) this.chosen = null;
    if (this.chosen) return asked;
    const held = this.present.alarms.find((alarm) => ["off-map", "damaged"].includes(alarm.kind));
    return this.memory(this.present.current) || this.memory(held?.n) || this.memory(this.latest);
  }

  tell() {
    const memory = this.told();
    this.panel.about(memory, this.present, Boolean(this.chosen));
    if (["finished", "aborted", "aborting"].includes(this.present.state)) this.controls.over();
    this.chart.choose(this.chosen);
    this.controls.about(memory);
    return memory;
  }

  choose(id) {
    this.chosen = id;
    this.tell();
    this.showStage(0);
  }

  showStage(fade) {
    const memory = this.told();
    const over = this.present.state === "finished" || this.present.state === "aborted";
    if (this.unseen || (this.leaving && !this.chosen)) return;
    if (!memory?.picture || (!this.chosen && (over || memory.state === "held"))) this.stage.clear();
    else this.stage.show(memory, memory.large || memory.picture, fade);
  }

  // --- What happens ---
  event(event) {
    const { present } = this;
    if (this.catching) this.waitForQuiet();
    if (event.counts) present.counts = event.counts;
    if (event.remaining_s !== undefined) {
      present.elapsed_s += this.worked();
      present.remaining_s = event.remaining_s;
    }
    present.seq = event.seq;
    this.HAPPENINGS[event.kind]?.call(this, event, this.memory(event.n));
    if (PIECES.has(event.kind)) this.fetchPieces();
    this.panel.line(event, RAISING.has(event.kind) || event.why === "safe-word");
    this.panel.state(present);
    this.night.state(present);
  }

  worked() {
    if (!["running", "held"].includes(this.present.state)) return 0;
    // Whole: passes come faster than seconds, and what each of them rounded off would be lost.
    return (performance.now() - this.panel.anchor) / 1000;
  }

  HAPPENINGS = {
    "memory-started"(event, memory) {
      if (!memory) return;
      memory.state = "fading";
      this.present.state = "running";
      const before = this.memory(this.present.current);
      this.present.current = memory.n;
      if (before) this.chart.show(before, memory.n);
      this.fly(memory);
      this.chart.show(memory, memory.n);
      this.chart.point(memory.n);
      this.tell();
    },
    pass(event, memory) {
      if (!memory) return;
      Object.assign(memory, { level: event.level, bits: event.bits, picture: event.picture, large: event.picture, state: "fading" });
      if (this.present.current !== memory.n) this.HAPPENINGS["memory-started"].call(this, event, memory);
      if (this.chosen && this.told() !== memory) return;
      this.panel.stored(memory);
      if (this.unseen || this.leaving) return;
      if (memory.picture) this.stage.show(memory, memory.picture, this.stage.pace(this.present, memory.levels));
      else this.stage.clear();
    },
    destroyed(event, memory) {
      if (!memory) return;
      const { title } = memory;
      Object.assign(memory, { state: "destroyed", level: memory.levels, picture: null, large: null, title: null, date: null, bits: 0 });
      this.latest = memory.n;
      if (this.present.current === memory.n) {
        this.present.current = null;
        this.clear();
      }
      this.chart.show(memory, this.present.current);
      this.chart.empty(memory);
      this.chart.age(this.present.memories);
      this.forget(memory, title);
      this.tell();
      this.draw(COAST);
    },
    held(event, memory) {
      if (!memory) return;
      memory.state = "held";
      this.present.alarms.push({ id: event.hold, kind: "off-map", n: memory.n, copy: event.copy });
      if (this.present.current === memory.n) this.present.current = null;
      if (!this.unseen) this.chart.trail(this.present.alarms, this.present.memories);
      this.fetchPieces();
      this.leave(memory);
      this.tell();
    },
    decided(event, memory) {
      this.present.alarms = this.present.alarms.filter((alarm) => alarm.id !== event.hold);
      if (memory?.state === "held" && !this.present.alarms.some((alarm) => alarm.n === memory.n)) {
        memory.state = memory.level ? "fading" : "waiting";
        this.chart.show(memory, this.present.current);
      }
      this.chart.trail(this.present.alarms, this.present.memories);
      this.fetchPieces();
    },
    protected(event, memory) {
      if (!memory) return;
      memory.state = "protected";
      const current = this.present.current === memory.n;
      if (current) this.present.current = null;
      this.chart.show(memory, this.present.current);
      if (this.stage.n === memory.id && !this.chosen) this.chart.flyBack(memory, this.stage.figure);
      if (current) this.clear();
      this.tell();
      this.draw(COAST);
    },
    paused(event) {
      this.present.state = "paused";
      Object.assign(this.present, { paused_at: event.at, paused_by: null, why: event.why || null });
      this.settle();
      this.fetchPieces();
    },
    resumed() {
      this.present.state = "running";
      this.panel.answer("");
    },
    damaged(event, memory) {
      this.forgetDamage(event.n);
      this.present.alarms.push({ kind: "damaged", n: event.n });
      if (memory) this.tell();
    },
    "moves-again"() {
      this.forgetDamage();
    },
    "damage-decided"(event, memory) {
      this.forgetDamage(event.n);
      if (event.outcome === "spared") this.HAPPENINGS.protected.call(this, event, memory);
    },
    "storage-back"(event) {
      if (event.goes_on) {
        this.present.state = "running";
        this.panel.answer("");
      }
      this.fetchPieces();
    },
    started() {
      this.present.state = "running";
    },
    withdrawn() {
      this.present.state = "aborting";
      this.fetchPieces();
    },
    restored() {
      this.present.state = "aborting";
      this.fetchPieces();
    },
    aborting() {
      this.present.state = "aborting";
      this.fetchPieces();
    },
    aborted() {
      this.present.state = "aborted";
      this.fetchPieces();
    },
    certificate() {
      this.fetchPieces();
    },
    "run-verified"() {
      this.fetchPieces();
    },
    "run-unverified"() {
      this.fetchPieces();
    },
    finished(event) {
      const stopped = event.outcome === "stopped";
      Object.assign(this.present, { state: stopped ? "aborted" : "finished", outcome: event.outcome, current: null });
      for (const memory of this.present.memories) this.chart.show(memory, null);
      this.chart.point(null);
      this.root.dataset.state = this.present.state;
      // What it says there is of the beginning; the words of the end are fetched.
      document.getElementById("nobody").replaceChildren();
      this.tell();
      this.showStage(0);
      this.draw(WHITE);
      this.fetchPieces();
    },
  };

  // No alarm any more for a damaged memory, or for any where no number is given.
  forgetDamage(n) {
    this.present.alarms = this.present.alarms.filter(
      (alarm) => alarm.kind !== "damaged" || (n !== undefined && alarm.n !== n),
    );
  }

  // Nothing is at work; what was chosen, or is leaving, keeps the stage.
  clear() {
    if (!this.chosen && !this.leaving) this.stage.clear();
  }

  // Off the map. The next memory is at work already: it waits in its place until the stage is free.
  leave(memory) {
    this.chart.show(memory, this.present.current);
    if (this.unseen) return;
    if (this.chosen || this.leaving || !moves()) {
      this.chart.tremble(this.chart.byId.get(memory.id));
      this.showStage(0);
      return;
    }
    this.leaving = this.goOff(memory, this.moment).finally(() => {
      this.leaving = null;
      this.showStage(0);
    });
  }

  // The stage trembles, then shrinks along the dashed way into childhood, where its copy is; not to the end where motion
  // was ended meanwhile. Resolves to whether it got there.
  async goOff(memory, moment) {
    // What holds on before its first pass has not been on the stage yet.
    if (memory.picture) await this.stage.show(memory, memory.large || memory.picture, 0);
    const own = this.stage.n === memory.id && this.stage.figure.querySelector(".stage-print");
    if (!own) await this.chart.tremble(this.chart.byId.get(memory.id));
    else if (this.moment === moment) await Promise.all([this.chart.tremble(own), this.stage.bleed(memory)]);
    if (own && this.moment === moment) await this.chart.shrink(own, document.querySelector(".print.is-copy"));
    if (this.stage.n === memory.id && !this.chosen) this.stage.clear();
    return this.moment === moment;
  }

  fly(memory) {
    if (this.chosen) return;
    this.clear();
    const quick = this.present.pace_s && this.present.pace_s < NO_FLIGHT_UNDER;
    const image = quick && !this.leaving && this.chart.byId.get(memory.id)?.querySelector("img");
    if (image) this.stage.take(memory, image);
    if (quick) return;
    const wanted = () => this.told() === memory && memory.state === "fading";
    const after = this.leaving ? this.leaving.then((there) => there && wanted()) : true;
    this.stage.ready = this.chart.fly(memory, this.stage.figure, after).then((image) => {
      if (image && wanted()) this.stage.take(memory, image);
    });
  }

  // A line that named a memory names it no more once it is gone.
  forget(memory, title) {
    for (const row of this.panel.log.children) {
      if (!title || Number(row.dataset.n) !== memory.n) continue;
      const text = row.lastElementChild;
      text.textContent = text.textContent.replace(title, "").replace(/\s*[“"„«][”"“»]/, "");
    }
  }

  // Alarms with their forms, the end and the log are worded by the server, in one place; they are fetched.
  async fetchPieces() {
    if (this.unseen) return; // asked when it is seen again
    if (this.fetching) {
      this.again = true;
      return;
    }
    this.fetching = true;
    try {
      const response = await send(location.pathname);
      if (!response.ok) return;
      const page = new DOMParser().parseFromString(await response.text(), "text/html");
      this.replace(page);
    } catch {
      // The stream says whether the connection is lost; the next event asks again.
    } finally {
      this.fetching = false;
      if (!this.again) this.panel.book.sayNow();
      if (this.again) {
        this.again = false;
        this.fetchPieces();
      }
    }
  }

  replace(page) {
    const fresh = (id) => page.getElementById(id);
    if (!fresh("session")) return;
    const alarms = document.getElementById("alarms");
    const said = fresh("alarms").textContent.trim();
    const next = () => alarms.querySelector("a, button:not(:disabled)");
    keepFocus(() => {
      if (this.alarmed !== said) {
        this.alarmed = said;
        if (renew(alarms, fresh("alarms"))) this.panel.book.leaveUnsaid();
        window.htmx?.process(alarms);
        const kinds = fresh("session").dataset.alarms;
        if (kinds) this.root.dataset.alarms = kinds;
        else delete this.root.dataset.alarms;
      }
      this.moveWords(page);
      const nothing = document.getElementById("nothing");
      nothing.hidden = this.present.state !== "finished";
      nothing.className = fresh("nothing").className;
      nothing.replaceChildren(...fresh("nothing").childNodes);
    }, next, () => this.panel.head);
    this.controls.offer(fresh("controls"));
    this.adopt(JSON.parse(fresh("present").textContent));
    const newest = Number(fresh("log").firstElementChild?.dataset.seq || 0);
    const ours = Number(this.panel.log.firstElementChild?.dataset.seq || 0);
    if (newest >= ours) this.panel.book.replace(fresh("log"));
  }

  // What only the server words, as it stands on the fetched page; what it says no more is emptied here too: when the
  // night is over, whom it was about. A field needs no line of script for this (docs/architecture.md).
  moveWords(page) {
    for (const node of document.querySelectorAll("[data-from-server]")) {
      const next = page.querySelector(`[data-from-server="${node.dataset.fromServer}"]`);
      if (node.innerHTML !== (next?.innerHTML ?? "")) node.replaceChildren(...(next?.childNodes ?? []));
    }
  }

  // What the server says now, unless more has happened here since; then it is asked once more.
  adopt(next) {
    clearTimeout(this.later);
    if (next.seq < this.present.seq) {
      this.later = setTimeout(() => this.fetchPieces(), 600);
      return;
    }
    const gone = (memories) => memories.filter((memory) => memory.state === "destroyed").length;
    const before = gone(this.present.memories);
    const known = new Map(this.present.memories.map((memory) => [memory.id, memory]));
    // The same objects: a flight under way holds on to its memory.
    next.memories = next.memories.map((memory) => Object.assign(known.get(memory.id) || {}, memory));
    this.present = next;
    this.stage.chapters = next.chapters;
    for (const memory of next.memories) this.chart.show(memory, next.current);
    this.chart.age(next.memories);
    this.chart.point(next.current);
    this.chart.trail(next.alarms, next.memories);
    this.panel.state(next);
    this.night.state(next);
    this.tell();
    if (gone(next.memories) !== before) this.draw(COAST);
  }

  waitForQuiet() {
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => this.appear(), QUIET);
  }

  // What happened until the connection is back is not played back.
  catchUp() {
    this.catching = true;
    hush(true);
    clearTimeout(this.quiet);
  }

  lost() {
    this.catchUp();
    if (!this.lostAt) checkSignIn(); // the stream does not say why it gets no answer
    this.lostAt ??= new Date();
    clearTimeout(this.warn);
    this.warn = setTimeout(() => {
      this.panel.answer(fill(this.words.lost, { at: this.panel.clock.format(this.lostAt) }), true);
      this.warned = true;
    }, 4000);
  }

  found() {
    if (this.catching) this.waitForQuiet();
    clearTimeout(this.warn);
    if (this.warned) this.panel.answer("");
    this.warned = false;
    this.lostAt = undefined;
  }
}

document.documentElement.classList.add("script");
new Session(read("present"), read("words"));
