// Keeps the screen on while the page is visible. If the browser cannot or refuses, nothing happens.

let lock = null;

async function stayAwake() {
  if (document.hidden || (lock && !lock.released)) return;
  try {
    lock = await navigator.wakeLock.request("screen");
  } catch {
    lock = null;
  }
}

// A browser releases the lock of a hidden page, so ask again whenever the page becomes visible.
export function keepAwake() {
  if (!navigator.wakeLock) return;
  document.addEventListener("visibilitychange", stayAwake);
  stayAwake();
}
