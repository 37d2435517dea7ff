// Whether anything may move, and how. Nothing moves for who asked for stillness, who sees one state fade into the
// next; and nothing at all is animated in a tab nobody sees.

const still = matchMedia("(prefers-reduced-motion: reduce)");

let hushed = false;

export const fades = () => !document.hidden && !hushed;
export const moves = () => fades() && !still.matches;

// While a backlog is told, nothing of it moves.
export function hush(on) {
  hushed = on;
}

export const stillWanted = () => still.matches;

// Animates and resolves when it is over, or at once where nothing may move.
export async function animate(element, frames, options) {
  if (moves()) await play(element, frames, options);
}

// One state into the next, at its place: opacity, and nothing else.
export async function fade(element, from, to, options) {
  if (fades()) await play(element, [{ opacity: from }, { opacity: to }], options);
}

async function play(element, frames, options) {
  if (!element.isConnected) return;
  await element.animate(frames, options).finished.catch(() => {});
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
