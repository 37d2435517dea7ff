// Keeps the screen on while the page is open. Browsers that cannot do it, or do not want to, keep silent.

let lock = null;

async function stayAwake() {
  if (document.hidden || (lock && !lock.released)) return;
  try {
    lock = await navigator.wakeLock.request("screen");
  } catch {
    lock = null;
  }
}

// A hidden page loses its lock.
export function keepAwake() {
  if (!navigator.wakeLock) return;
  document.addEventListener("visibilitychange", stayAwake);
  stayAwake();
}
