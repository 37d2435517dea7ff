// The stream of what happens in a run. A browser opens at most six connections to a host, so the visible windows of
// one person share one. The window that holds a lock has it, and passes on what it hears over a BroadcastChannel. A
// hidden window gives its stream up; seen again, it is told what it missed. The browser's own EventSource gives up for
// good on a 503; this one comes back by itself (docs/decisions/0018-one-stream-a-browser.md).

const FIRST_WAIT = 800;
const LONGEST_WAIT = 15000;
const GRACE = 2000; // a window that is hidden for a shorter time keeps its stream
const GATHER = 50; // windows that ask within this time are put into one connection
const BEAT = 1000; // how often the window with the connection says what it has told, so that none misses anything
const SILENCE = 3000; // without a word for so long, it hangs, or waits for a dialog: another takes over
const MAX_RUNS = 50; // the server has the same limit (erasure/live/app.py)

// One connection, for several runs. tell: is given {found: runs}, {lost}, and {type, data} of each event.
class Source {
  constructor(url, tell) {
    this.url = url;
    this.tell = tell;
    this.runs = new Map(); // run -> the last seq that was told
    this.wait = FIRST_WAIT;
  }

  // Tell of a run from `after` on. Whoever is further drops what is told twice.
  want(run, after) {
    if (this.runs.get(run) <= after) {
      if (this.source?.readyState === EventSource.OPEN) this.tell({ found: [run] });
    } else if (this.runs.has(run) || this.runs.size < MAX_RUNS) {
      this.runs.set(run, after);
      this.change();
    }
  }

  drop(run) {
    if (this.runs.delete(run)) this.change();
  }

  // Closed at once: an event that came now would move the cursor past what is still to be told.
  change() {
    this.source?.close();
    this.timer ??= setTimeout(() => this.open(), this.source ? GATHER : 0);
  }

  open() {
    this.close();
    const runs = [...this.runs.keys()];
    if (!runs.length) return;
    const url = new URL(this.url);
    for (const [run, seq] of this.runs) url.searchParams.append("run", `${run}.${seq}`);
    const source = new EventSource(url);
    this.source = source;
    source.onopen = () => {
      this.wait = FIRST_WAIT;
      this.tell({ found: runs });
    };
    source.onerror = () => this.again();
    source.onmessage = (message) => this.hear("event", message);
    for (const type of ["state", "end"]) source.addEventListener(type, (message) => this.hear(type, message));
  }

  hear(type, message) {
    const data = JSON.parse(message.data);
    if (!this.runs.has(data.run)) return;
    if (type === "end") this.runs.delete(data.run);
    else this.runs.set(data.run, data.seq);
    if (!this.runs.size) this.close();
    this.tell({ type, data });
  }

  again() {
    this.close();
    // A whole house of viewers must not come back in the same moment.
    this.timer = setTimeout(() => this.open(), this.wait * (0.6 + 0.8 * Math.random()));
    this.wait = Math.min(LONGEST_WAIT, this.wait * 1.8);
    this.tell({ lost: true });
  }

  // A tab that slept may hold a connection that died without a word.
  wake() {
    if (this.source?.readyState !== EventSource.OPEN) this.open();
  }

  close() {
    clearTimeout(this.timer);
    this.timer = null;
    this.source?.close();
  }
}

export class Stream {
  // url: of the person's streams. run, seq: what the page shows. on: {event(data), state(present), end(why), lost(), found()}
  constructor(url, run, seq, on) {
    this.url = url;
    this.run = run;
    this.seq = seq;
    this.on = on;
    this.name = `${url}#${document.documentElement.lang}`; // of the lock and the channel
    this.over = false;
    this.joined = null;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(this.grace);
      if (document.hidden) this.grace = setTimeout(() => this.leave(), GRACE);
    });
    if (!document.hidden) this.join();
  }

  join() {
    this.joined = new AbortController();
    this.pages = new Map(); // while this window leads: id of each window -> its run
    if (!navigator.locks || !window.BroadcastChannel) {
      this.lead();
      return;
    }
    this.id = crypto.randomUUID();
    this.channel = new BroadcastChannel(this.name);
    this.channel.onmessage = ({ data }) => {
      if (data.want) this.admit(data.want);
      else this.take(data);
    };
    // The lock of its id is free as soon as this window is gone, however it went.
    this.hold(this.id, () => this.ask());
    this.hold(this.name, () => this.lead());
    this.expect();
  }

  // Holds a lock until this window leaves, and does `got` when it has it.
  async hold(name, got, options) {
    const { signal } = this.joined;
    const kept = () => {
      if (signal.aborted) return null;
      got();
      return new Promise((done) => signal.addEventListener("abort", done));
    };
    try {
      await navigator.locks.request(name, options ?? { signal }, kept);
    } catch (error) {
      if (error.name !== "AbortError") throw error;
      if (signal.aborted) return;
      this.stop(); // another window took it, because this one was silent
      this.hold(name, got);
      this.ask();
    }
  }

  // While another window leads: if it falls silent, this one takes its place.
  expect() {
    clearTimeout(this.silence);
    if (!this.channel || this.source) return;
    const takeOver = () => this.hold(this.name, () => this.lead(), { steal: true });
    this.silence = setTimeout(takeOver, SILENCE * (1 + Math.random() / 2));
  }

  lead() {
    if (this.source) return;
    this.source = new Source(this.url, (message) => {
      this.channel?.postMessage(message);
      this.take(message);
    });
    this.expect();
    this.ask();
    if (!this.channel) return;
    const beat = () => this.channel.postMessage({ told: this.source.runs });
    this.beat = setInterval(beat, BEAT);
    beat();
  }

  stop() {
    clearInterval(this.beat);
    this.source?.close();
    this.source = null;
    this.pages.clear();
  }

  // Also asked again: what the window has not shown is then told once more, to all; each drops what it has shown.
  ask() {
    const want = { id: this.id, run: this.run, after: this.seq };
    if (this.source) this.admit(want);
    else this.channel.postMessage({ want });
  }

  admit({ id, run, after }) {
    if (!this.source) return;
    if (id !== this.id && !this.pages.has(id)) {
      const { signal } = this.joined;
      navigator.locks.request(id, { signal }, () => this.gone(id)).catch(() => {}); // this window left first
    }
    this.pages.set(id, run);
    this.source.want(run, after);
  }

  gone(id) {
    const run = this.pages.get(id);
    this.pages.delete(id);
    if (![...this.pages.values()].includes(run)) this.source?.drop(run);
  }

  take({ type, data, found, lost, told }) {
    if (!this.joined) return;
    this.expect();
    if (told && !(told.get(this.run) <= this.seq)) this.ask(); // nobody tells this window, or it missed something
    if (lost) this.on.lost();
    if (found?.includes(this.run)) this.on.found();
    if (data?.run !== this.run) return;
    if (type === "end") {
      this.close();
      this.on.end(data.why);
    } else if (type === "state") {
      if (data.seq === this.seq) return; // it was for another window
      this.seq = data.seq;
      this.on.state(data);
    } else if (data.seq === this.seq + 1) {
      this.seq = data.seq;
      this.on.event(data);
    }
  }

  // The window is seen again. Returns whether it had given up its stream, so that there is something to catch up with.
  wake() {
    if (this.over) return false;
    if (!this.joined) {
      this.join();
      return true;
    }
    this.source?.wake();
    return false;
  }

  leave() {
    if (!this.joined) return;
    clearTimeout(this.silence);
    this.stop();
    this.joined.abort();
    this.joined = null;
    this.channel?.close();
  }

  close() {
    this.over = true;
    clearTimeout(this.grace);
    this.leave();
  }
}
