// The stream of what happens in a run. The browser's own EventSource gives up for good on a 503; this one
// comes back by itself, says what it has shown, and drops what it is told twice.

const FIRST_WAIT = 800;
const LONGEST_WAIT = 15000;

export class Stream {
  // on: {event(data), state(present), end(why), lost(), found()}
  constructor(url, seq, on) {
    this.url = url;
    this.seq = seq;
    this.on = on;
    this.wait = FIRST_WAIT;
    this.over = false;
    this.open();
  }

  open() {
    clearTimeout(this.timer);
    const url = new URL(this.url, location.href);
    url.searchParams.set("after", this.seq);
    const source = new EventSource(url);
    this.source = source;
    source.onopen = () => {
      this.wait = FIRST_WAIT;
      this.on.found();
    };
    source.onerror = () => this.again();
    source.onmessage = (message) => this.take(JSON.parse(message.data));
    source.addEventListener("state", (message) => {
      const present = JSON.parse(message.data);
      if (present.seq < this.seq) return;
      this.seq = present.seq;
      this.on.state(present);
    });
    source.addEventListener("end", (message) => {
      this.close();
      this.on.end(JSON.parse(message.data || "{}").why || "over");
    });
  }

  take(data) {
    if (!(data.seq > this.seq)) return;
    this.seq = data.seq;
    this.on.event(data);
  }

  again() {
    this.source.close();
    if (this.over) return;
    this.on.lost();
    // A whole house of viewers must not come back in the same moment.
    this.timer = setTimeout(() => this.open(), this.wait * (0.6 + 0.8 * Math.random()));
    this.wait = Math.min(LONGEST_WAIT, this.wait * 1.8);
  }

  // A tab that slept may hold a connection that died without a word.
  wake() {
    if (!this.over && this.source.readyState !== EventSource.OPEN) {
      this.source.close();
      this.open();
    }
  }

  close() {
    this.over = true;
    clearTimeout(this.timer);
    this.source.close();
  }
}
