// Sends a tap on the safe word until the server has answered. Until then the tap is stored in the browser, so that it
// survives a reload. It is encrypted with a key that the server puts only into its owner's page for the bed, so another
// person's page in this browser cannot read it.

const FIRST_RETRY_DELAY = 1000, MAX_RETRY_DELAY = 15000; // milliseconds between two attempts, doubled each time
const REQUEST_TIMEOUT = 10000; // milliseconds

const bytes = (hex) => Uint8Array.from(hex.match(/../g), (pair) => parseInt(pair, 16));
const toHex = (array) => [...array].map((byte) => byte.toString(16).padStart(2, "0")).join("");

// Returns a random UUID. crypto.randomUUID() does not exist without HTTPS.
function newId() {
  const random = crypto.getRandomValues(new Uint8Array(16));
  random[6] = (random[6] & 0x0f) | 0x40;
  random[8] = (random[8] & 0x3f) | 0x80;
  return toHex(random).replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// Stores one tap in localStorage, encrypted. Without HTTPS browsers have no crypto.subtle; then it stores nothing.
class TapStore {
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

  remove() {
    try {
      localStorage.removeItem(this.name);
    } catch {
      // The browser allows no storage, so nothing is kept there.
    }
  }
}

export class TapSender {
  // form: the form of the safe word. texts: {sending, noLine, closed}, the messages to show. page: {showMessage(text),
  // onArrival(), refresh()}. refresh puts a new CSRF token into the form; its promise gives "refreshed", "closed" or
  // "offline".
  constructor(form, { name, key }, texts, page) {
    this.form = form;
    this.texts = texts;
    this.page = page;
    this.store = new TapStore(name, key);
    this.pending = null;
    this.isSending = false;
    this.wake = () => {};
    addEventListener("online", () => this.wake());
    document.addEventListener("visibilitychange", () => document.hidden || this.wake());
    this.restore();
  }

  // Begins to send a new tap, and returns at once. If an earlier tap has no answer yet, sends that one again instead.
  tap() {
    if (this.pending) {
      this.wake();
      return;
    }
    this.pending = { tap: newId(), at: new Date().toISOString() };
    this.store.put(this.pending).then(() => this.pending || this.store.remove()).catch(() => {});
    this.sendUntilAnswered();
  }

  async restore() {
    const tap = await this.store.get().catch(() => null);
    if (!tap || this.pending) return;
    this.pending = tap;
    this.sendUntilAnswered();
  }

  async sendUntilAnswered() {
    if (this.isSending) return;
    this.isSending = true;
    let delay = FIRST_RETRY_DELAY;
    // Shown once, not at each attempt: a screen reader would begin to read it again and again.
    this.page.showMessage(this.texts.sending);
    while (this.pending) {
      const answer = await this.attempt();
      if (answer.text) {
        this.pending = null;
        this.store.remove();
        this.page.showMessage(answer.text);
        this.page.onArrival();
      } else {
        this.page.showMessage(answer.closed ? this.texts.closed : this.texts.noLine);
        await new Promise((done) => {
          this.wake = done;
          setTimeout(done, delay);
        });
        delay = Math.min(2 * delay, MAX_RETRY_DELAY);
      }
    }
    this.isSending = false;
  }

  // Sends the pending tap, and after a 401, 403 or 404 once more with a new CSRF token. Returns {text} if the server has
  // answered, {closed: true} if it does not accept this page any more, or else {}.
  async attempt(mayRetry = true) {
    const body = new URLSearchParams(new FormData(this.form));
    body.set("tap", this.pending.tap);
    body.set("at", this.pending.at);
    let response;
    try {
      response = await fetch(this.form.action, {
        method: "POST", body, headers: { Accept: "application/json" }, redirect: "error", keepalive: true,
        signal: AbortSignal.timeout(REQUEST_TIMEOUT),
      });
      if (response.ok || response.status === 409) return { text: (await response.json()).text };
    } catch {
      return {};
    }
    if (![401, 403, 404].includes(response.status)) return {};
    const state = await this.page.refresh();
    if (state === "closed") return { closed: true };
    return state === "refreshed" && mayRetry ? this.attempt(false) : {};
  }
}
