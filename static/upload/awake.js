// Keeps the screen of a telephone on while something is sent: a telephone that sleeps closes its connections.

let wanted = false;
let lock = null;

async function take() {
  if (!wanted || lock || document.hidden || !navigator.wakeLock) return;
  try {
    lock = await navigator.wakeLock.request("screen");
    lock.addEventListener("release", () => {
      lock = null;
    });
    if (!wanted) lock.release();
  } catch {
    lock = null; // the browser may refuse, for example while the battery is low
  }
}

// The browser takes the lock back when the page is hidden.
document.addEventListener("visibilitychange", take);

// Keeps the screen on from now on, or lets it sleep again.
export function keepAwake(on) {
  wanted = on;
  if (on) take();
  else lock?.release();
}
