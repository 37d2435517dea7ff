// The log: newest first, one line for a whole fade, read aloud a quarter at a time. It follows what happens
// until somebody stops it or scrolls back to read; then it stands still, counts, and offers the way back.

import { write } from "./text.js";

const LONGEST = 60; // lines: a page that stays open for a night must not grow
const TOP = 4; // pixels from the top that still count as there

export class Log {
  constructor(words) {
    this.words = words;
    this.list = document.getElementById("log");
    this.said = document.getElementById("said");
    this.button = document.getElementById("follow");
    this.way = document.getElementById("jump");
    this.clock = new Intl.DateTimeFormat("en-GB", {
      hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: words.zone,
    });
    this.following = true;
    this.missed = 0;
    this.unsaid = ""; // what waits to be read out until it is known whether an alarm says it
    this.button.addEventListener("click", () => (this.following ? this.stop() : this.follow()));
    this.way.addEventListener("click", () => this.follow());
    // Scrolling by hand is reading; what the list does by itself is undone before this is heard.
    this.list.addEventListener("scroll", () => {
      if (this.list.scrollTop > TOP) this.stop();
      else if (!this.stopped) this.follow();
    });
  }

  stop() {
    // By the button, it stands still at the top as well.
    this.stopped = this.list.scrollTop <= TOP;
    this.following = false;
    this.worded();
  }

  follow() {
    this.following = true;
    this.stopped = false;
    this.missed = 0;
    if (document.activeElement === this.way) this.button.focus();
    this.list.scrollTop = 0;
    this.worded();
  }

  worded() {
    this.button.setAttribute("aria-pressed", String(this.following));
    this.way.hidden = !this.missed;
    this.way.textContent = this.words.newer.replace("%(n)s", this.missed);
  }

  line(event, raises = false) {
    if (!event.text) return;
    const top = this.list.firstElementChild;
    const same = event.kind === "pass" && top?.dataset.kind === "pass" && top.dataset.n === String(event.n);
    const row = same ? top : document.createElement("li");
    // A fade has one line: its passes write into it.
    const time = same ? row.firstElementChild : document.createElement("time");
    const text = same ? row.lastElementChild : document.createElement("span");
    time.dateTime = event.at;
    write(time, this.clock.format(new Date(event.at)));
    write(text, event.text);
    if (!same) row.append(time, text);
    row.dataset.seq = event.seq;
    row.dataset.kind = event.kind;
    if (event.n) row.dataset.n = event.n;
    if (!same) this.add(row);
    if (!this.following || (event.kind === "pass" && event.level % 3)) return;
    if (raises) this.unsaid = event.text;
    else write(this.said, event.text);
  }

  leaveUnsaid() {
    this.unsaid = "";
  }

  sayNow() {
    if (this.unsaid) write(this.said, this.unsaid);
    this.unsaid = "";
  }

  add(row) {
    const height = this.list.scrollHeight;
    this.list.prepend(row);
    if (this.following) this.list.scrollTop = 0;
    else {
      this.list.scrollTop += this.list.scrollHeight - height;
      this.missed++;
      this.worded();
    }
    // Fades are many, and say least: what was decided or called stays when their lines have gone.
    while (this.list.children.length > LONGEST) {
      const fades = this.list.querySelectorAll('[data-kind="pass"]');
      ([...fades].findLast((fade) => fade !== row) || this.list.lastElementChild).remove();
    }
  }

  // All of it anew, silently: what a page that was away has missed.
  lines(log) {
    this.list.replaceChildren();
    const said = this.said.textContent;
    for (const entry of [...log].sort((a, b) => a.seq - b.seq)) this.line(entry);
    write(this.said, said);
  }

  // The server's wording, for who follows; who reads is not disturbed.
  replace(list) {
    if (this.following) this.list.replaceChildren(...list.childNodes);
  }
}
