// A tap on the safe word, kept until the house says that it has it. What is kept survives a reload. It is encrypted under
// a key that only the owner's page for the bed is given, so no other person's page in this browser can read it.

const FIRST = 1000, LONGEST = 15000; // milliseconds between two attempts
const PATIENCE = 10000; // how long an answer may take

const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
const toHex = (array) => [...array].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Also where the site has no HTTPS: crypto.randomUUID() is not there then.
function newId() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  return toHex(random).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Without HTTPS there is no encryption either, so a tap is kept in the page alone.
class Kept {
  constructor(name, key) {
    this.name = name;
    this.key = crypto.subtle?.importKey("raw", bytes(key), "AES-GCM", false, ["encrypt", "decrypt"]);
  }

  async put(tap) {
    if (!this.key) return;
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const text = new TextEncoder().encode(JSON.stringify(tap));
    const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv }, await this.key, text);
    localStorage.setItem(this.name, toHex(iv) + toHex(new Uint8Array(sealed)));
  }

  async get() {
    if (!this.key) return null;
    const stored = localStorage.getItem(this.name);
    if (!stored) return null;
    const sealed = bytes(stored);
    const text = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: sealed.slice(0, 12) }, await this.key, sealed.slice(12),
    );
    return JSON.parse(new TextDecoder().decode(text));
  }

  drop() {
    localStorage.removeItem(this.name);
  }
}

export class Taps {
  // form: of the safe word. words: {sending, noLine, closed}. on: {said(text), arrived(), fresh() -> "fresh", "closed" or
  // "no line"}: fresh fetches new tokens for the form.
  constructor(form, { name, key }, words, on) {
    this.form = form;
    this.words = words;
    this.on = on;
    this.kept = new Kept(name, key);
    this.waiting = null;
    this.busy = false;
    this.wake = () => {};
    addEventListener("online", () => this.wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.wake());
    this.restore();
  }

  // Returns once the tap is kept or sent, whichever comes first. A second tap while one waits sends that one again.
  tap() {
    if (this.waiting) {
      this.wake();
      return;
    }
    this.waiting = { tap: newId(), at: new Date().toISOString() };
    this.kept.put(this.waiting).then(() => this.waiting || this.kept.drop()).catch(() => {});
    this.deliver();
  }

  async restore() {
    const tap = await this.kept.get().catch(() => null);
    if (!tap || this.waiting) return;
    this.waiting = tap;
    this.deliver();
  }

  async deliver() {
    if (this.busy) return;
    this.busy = true;
    let delay = FIRST;
    // Said once: the attempts that follow would make what is read aloud begin again and again.
    this.on.said(this.words.sending);
    while (this.waiting) {
      const answer = await this.send();
      if (answer.text) {
        this.waiting = null;
        this.kept.drop();
        this.on.said(answer.text);
        this.on.arrived();
      } else {
        this.on.said(answer.closed ? this.words.closed : this.words.noLine);
        await new Promise((done) => {
          this.wake = done;
          setTimeout(done, delay);
        });
        delay = Math.min(2 * delay, LONGEST);
      }
    }
    this.busy = false;
  }

  // Returns {text} once the house has answered, {closed} if it does not know this page any more, or {} without a line.
  async send(again = true) {
    const body = new URLSearchParams(new FormData(this.form));
    body.set("tap", this.waiting.tap);
    body.set("at", this.waiting.at);
    let response;
    try {
      response = await fetch(this.form.action, {
        method: "POST", body, headers: { Accept: "application/json" }, redirect: "error", keepalive: true,
        signal: AbortSignal.timeout(PATIENCE),
      });
      if (response.ok || response.status === 409) return { text: (await response.json()).text };
    } catch {
      return {};
    }
    if (![401, 403, 404].includes(response.status)) return {};
    const state = await this.on.fresh();
    if (state === "closed") return { closed: true };
    return state === "fresh" && again ? this.send(false) : {};
  }
}
