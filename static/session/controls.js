// Pause, protect, call, abort: forms that work without this, and faster with it.

const HOLD = 2000;
const KEYS = { " ": "pause", p: "protect", d: "doctor" };

export class Controls {
  // on: {done(control), refused(text), said(text)}
  constructor(words, on) {
    this.words = words;
    this.on = on;
    this.root = document.getElementById("session");
    this.panel = this.root.querySelector(".panel");
    this.ending = document.getElementById("ending");
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
    const form = this.form("protect");
    if (!form) return;
    const can = memory && memory.zone === "map" && ["waiting", "fading", "held"].includes(memory.state);
    form.elements.memory.value = can ? memory.id : "";
    form.querySelector("button").disabled = !can;
  }

  async submit(event) {
    const form = event.target.closest("form[data-control]");
    if (!form) return;
    event.preventDefault();
    const name = form.dataset.control;
    if (name === "abort") return this.ask();
    await this.send(form, event.submitter);
  }

  async send(form, submitter) {
    const name = form.dataset.control;
    const body = new URLSearchParams(new FormData(form, submitter?.name ? submitter : undefined));
    const buttons = [...form.querySelectorAll("button")].filter((button) => !button.disabled);
    if (name !== "abort") buttons.forEach((button) => (button.disabled = true));
    let answer = { ok: false, text: this.words.refused };
    try {
      const response = await fetch(form.action, {
        method: "POST", body,
        headers: { Accept: "application/json", "X-CSRFToken": body.get("csrfmiddlewaretoken") || "" },
        credentials: "same-origin",
      });
      answer = await response.json();
    } catch {
      // No answer, or none that can be read: the sentence above says so.
    }
    buttons.forEach((button) => (button.disabled = false));
    if (name === "abort_finish") this.ended(answer);
    else if (!answer.ok) this.on.refused(answer.text);
    if (answer.ok) this.on.done(name, answer.text);
    return answer.ok;
  }

  // --- Abort: the first touch pauses, two seconds or the keyboard open the question ---
  ready() {
    const form = this.form("abort"), button = form?.querySelector("button");
    if (!button) return;
    const bar = document.createElement("span");
    bar.className = "held-for";
    bar.setAttribute("aria-hidden", "true");
    button.append(bar);
    let timer = null, held = false;
    const stop = () => {
      if (timer === null) return;
      clearTimeout(timer);
      timer = null;
      bar.getAnimations().forEach((animation) => animation.cancel());
      if (!held) this.on.said(this.words.let_go);
    };
    button.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      held = false;
      this.send(form);
      this.on.said(this.words.hold_on);
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
    this.ending?.querySelector("[data-close]")?.addEventListener("click", () => this.stay());
  }

  ask() {
    if (!this.ending || this.ending.matches(":modal")) return;
    this.on.said("");
    this.ending.close();
    this.ending.querySelector("[data-part=refusal]").hidden = true;
    this.ending.showModal();
  }

  // Not now: the session is paused, and going on is the next thing at hand.
  stay() {
    this.ending.close();
    this.form("resume")?.querySelector("button")?.focus();
  }

  // There is nothing left to end.
  over() {
    if (this.ending?.open) this.ending.close();
  }

  ended(answer) {
    const refusal = this.ending.querySelector("[data-part=refusal]");
    refusal.hidden = answer.ok;
    refusal.textContent = answer.text;
    this.ending.querySelector("[type=password]").value = "";
    if (answer.ok) this.ending.close();
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
    if (!button || button.disabled || !button.offsetParent) return;
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
