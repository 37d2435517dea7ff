// Keeps the durations on the day board current: "running for 1 h 20 min", "25 min late". The server words them; this
// only replaces the duration. It counts from the server's time, because the clock of this machine may be wrong.

const EVERY = 5000; // milliseconds; the words change once a minute
const firstSeen = new WeakMap(); // board: when this script first saw it, on the clock that nobody sets

function words(board, seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return board.dataset.less;
  if (minutes < 60) return board.dataset.minutes.replace("%(m)d", minutes);
  return board.dataset.hours.replace("%(h)d", Math.floor(minutes / 60)).replace("%(m)d", minutes % 60);
}

function update() {
  const board = document.getElementById("board");
  if (!board || document.hidden) return;
  if (!firstSeen.has(board)) firstSeen.set(board, performance.now());
  const now = Date.parse(board.dataset.now) + performance.now() - firstSeen.get(board);
  for (const timer of board.querySelectorAll(".timer")) {
    const seconds = (now - Date.parse(timer.dataset.since)) / 1000;
    const text = timer.dataset.pattern.replace("{time}", words(board, seconds));
    if (timer.textContent !== text) timer.textContent = text;
  }
}

update();
setInterval(update, EVERY);
document.addEventListener("htmx:afterSwap", update);
document.addEventListener("visibilitychange", update);
