// Whether anything may move, and how. Nothing moves for who asked for stillness, or in a tab nobody sees.

const still = matchMedia("(prefers-reduced-motion: reduce)");

let hushed = false;

export const moves = () => !still.matches && !document.hidden && !hushed;

// While a backlog is told, nothing of it moves.
export function hush(on) {
  hushed = on;
}

export const stillWanted = () => still.matches;

// Animates and resolves when it is over, or at once where nothing may move.
export async function animate(element, frames, options) {
  if (!moves() || !element.isConnected) return;
  const animation = element.animate(frames, options);
  await animation.finished.catch(() => {});
}

// What is under way ends now, in its last state.
export function settle() {
  for (const animation of document.getAnimations()) {
    try {
      animation.finish();
    } catch {
      animation.cancel();
    }
  }
}
