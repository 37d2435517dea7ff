// Pause, protect, call, abort: forms that work without this, and faster with it. A button says at once that
// it was pressed and cannot be pressed again; that it took effect is said only once the house has said so.

import { focusOn, keepFocus } from "../page/focus.js";

import { send } from "../page/account.js";

const HOLD = 2000;
const PATIENCE = 10000; // how long an answer may take before nobody knows
const KEYS = { " ": "pause", p: "protect", d: "doctor" };
const OPPOSITE = { pause: "resume", resume: "pause" };

export class Controls {
  // on: {done(control, answer) -> promise of the page showing it, refused(text), said(text)}
  constructor(words, on) {
    this.words = words;
    this.on = on;
    this.root = document.getElementById("session");
    this.panel = this.root.querySelector(".panel");
    this.panel.addEventListener("submit", (event) => this.submit(event));
    document.addEventListener("keydown", (event) => this.key(event));
    this.ready();
    this.remember();
  }

  form(name) {
    return this.panel.querySelector(`form[data-control="${name}"]`);
  }

  // Who "Protect this" is about.
  about(memory) {
    this.told = memory;
    const form = this.form("protect");
    if (!form) return;
    const can = memory && memory.zone === "map" && ["waiting", "fading", "held"].includes(memory.state);
    if (!this.busy(form)) form.elements.memory.value = can ? memory.id : "";
    form.querySelector("button").disabled = this.busy(form) || !can;
  }

  async submit(event) {
    const form = event.target.closest("form[data-control]");
    if (!form) return;
    event.preventDefault();
    if (form.dataset.control === "abort") return this.ask();
    await this.send(form, event.submitter);
  }

  busy(form) {
    return form.hasAttribute("aria-busy");
  }

  async send(form, submitter) {
    if (this.busy(form)) return false;
    const name = form.dataset.control;
    const body = new URLSearchParams(new FormData(form, submitter?.name ? submitter : undefined));
    const free = this.press(form, submitter);
    this.on.said("");
    const answer = await this.post(form, body);
    if (name === "abort_finish") this.ended(answer);
    else if (!answer.ok) this.on.refused(answer.text);
    // Until the page shows what happened, the button goes on saying that it is happening.
    if (answer.ok) await this.on.done(name, answer);
    free();
    return answer.ok;
  }

  async post(form, body) {
    let response;
    try {
      response = await send(form.action, {
        method: "POST", body, headers: { Accept: "application/json" }, signal: AbortSignal.timeout(PATIENCE),
      });
    } catch {
      return { ok: false, text: this.words.no_answer };
    }
    try {
      return await response.json();
    } catch {
      return { ok: false, text: this.words.refused };
    }
  }

  // Says "Pausing…" and takes no second press; what it returns gives the button back as it was.
  press(form, submitter) {
    const name = form.dataset.control;
    const all = [...form.querySelectorAll("button:not([data-close])")].filter((button) => !button.disabled);
    const button = all.includes(submitter) ? submitter : all[0];
    const label = [...(button?.childNodes ?? [])].find((node) => node.nodeType === 3 && node.data.trim());
    const was = label?.data, focused = document.activeElement === button;
    form.setAttribute("aria-busy", "true");
    // A button that is held down has to go on hearing its pointer; the form takes nothing meanwhile anyway.
    if (name !== "abort") all.forEach((one) => (one.disabled = true));
    if (label) label.data = this.words.sending[name] || this.words.sending.other;
    return () => {
      form.removeAttribute("aria-busy");
      all.forEach((one) => (one.disabled = false));
      if (label) label.data = was;
      this.about(this.told);
      const lost = !document.activeElement || document.activeElement === document.body;
      if (!focused || !lost) return;
      const other = this.form(OPPOSITE[name])?.querySelector("button");
      [button, other, document.getElementById("state")].some(focusOn);
    };
  }

  // What this person may do has changed: a doctor took over, or gave back.
  offer(fresh) {
    const root = document.getElementById("controls");
    const names = (node) => [...node.querySelectorAll("[data-control], a.button")]
      .map((one) => (one.dataset.control || one.href) + (one.dataset.asks || "")).join(" ");
    if (names(root) === names(fresh) || this.ending?.matches(":modal") || root.querySelector("[aria-busy]")) return;
    const at = document.activeElement?.closest("#controls form")?.dataset.control;
    keepFocus(() => {
      root.replaceChildren(...fresh.childNodes);
      this.ready();
      this.about(this.told);
    }, () => at && this.form(at)?.querySelector("button:not(:disabled)"), () => document.getElementById("state"));
  }

  // --- Abort: the first touch pauses, two seconds or the keyboard open the question ---
  ready() {
    this.ending = document.getElementById("ending");
    // Without a script the question stands open on the page; with one it is asked when it is asked for.
    if (this.ending?.open) this.ending.close();
    this.ending?.querySelector("[data-close]")?.addEventListener("click", () => this.stay());
    this.ending?.addEventListener("cancel", (event) => {
      event.preventDefault();
      this.stay();
    });
    const form = this.form("abort"), button = form?.querySelector("button");
    if (!button) return;
    const bar = document.createElement("span");
    bar.className = "held-for";
    bar.setAttribute("aria-hidden", "true");
    button.append(bar);
    let timer = null, held = false, paused = false;
    const stop = () => {
      if (timer === null) return;
      clearTimeout(timer);
      timer = null;
      bar.getAnimations().forEach((animation) => animation.cancel());
      if (!held && paused) this.on.said(this.letGo());
    };
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.busy(form)) return;
      held = paused = false;
      this.send(form).then((ok) => {
        paused = ok;
        // Said only now: before, nobody knew that it was paused.
        if (ok && !held) this.on.said(timer === null ? this.letGo() : this.holdOn());
      });
      this.on.said(this.words.holding);
      // Not decoration: how long to hold has to be seen, by everyone.
      bar.animate([{ transform: "scaleX(0)" }, { transform: "scaleX(1)" }], { duration: HOLD, fill: "forwards" });
      timer = setTimeout(() => {
        held = true;
        stop();
        this.ask();
      }, HOLD);
      button.setPointerCapture(event.pointerId);
    });
    for (const kind of ["pointerup", "pointercancel", "lostpointercapture"]) button.addEventListener(kind, stop);
    // A pointer's click follows its release; only a click without a pointer (the keyboard) asks at once.
    button.addEventListener("click", (event) => {
      event.preventDefault();
      if (event.detail === 0) {
        this.send(form);
        this.ask();
      }
    });
    button.addEventListener("contextmenu", (event) => event.preventDefault());
  }

  ask() {
    if (!this.ending || this.ending.matches(":modal")) return;
    this.on.said("");
    this.ending.close();
    this.ending.querySelector("[data-part=refusal]").hidden = true;
    this.ending.showModal();
  }

  // After a safe word nobody can resume by a press, so nothing says so.
  letGo() {
    return this.form("resume") ? this.words.let_go : this.words.let_go_only;
  }

  holdOn() {
    return this.form("resume") ? this.words.hold_on : this.words.hold_on_only;
  }

  // Not now: the session is paused, and going on is the next thing at hand, where it may.
  stay() {
    this.ending.close();
    (this.form("resume") || this.form("abort"))?.querySelector("button, input:not([type=hidden])")?.focus();
  }

  // There is nothing left to end.
  over() {
    if (this.ending?.open) this.ending.close();
  }

  ended(answer) {
    const refusal = this.ending.querySelector("[data-part=refusal]"), secret = this.ending.querySelector("[type=password]");
    refusal.hidden = answer.ok;
    refusal.textContent = answer.text;
    secret.value = "";
    if (answer.ok) this.ending.close();
    else queueMicrotask(() => secret.focus());
  }

  // --- Keys, where nobody is typing and no button has the focus ---
  key(event) {
    const name = KEYS[event.key.toLowerCase()];
    if (!name || event.repeat || event.altKey || event.ctrlKey || event.metaKey || !this.keys) return;
    const at = document.activeElement;
    if (document.querySelector("dialog:modal") || at?.closest("input, select, textarea, [contenteditable]")) return;
    if (event.key === " " && at?.closest("button, a, summary, [tabindex='0']")) return;
    const wanted = name === "pause" && this.root.dataset.state === "paused" ? "resume" : name;
    const form = this.form(wanted), button = form?.querySelector("button");
    // What asks for an answer first is not done by one press.
    if (!button || button.disabled || !button.offsetParent || form.dataset.asks) return;
    event.preventDefault();
    form.requestSubmit(button);
  }

  remember() {
    const box = document.getElementById("shortcuts");
    this.keys = Boolean(box);
    if (!box) return;
    box.checked = this.keys = localStorage.getItem("lacuna-keys") !== "off";
    box.addEventListener("change", () => {
      this.keys = box.checked;
      localStorage.setItem("lacuna-keys", box.checked ? "on" : "off");
    });
  }
}
