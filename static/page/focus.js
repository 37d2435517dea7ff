// Keeps the focus on the page when a part of it is replaced (docs/decisions/0017-focus-after-a-swap.md). The server's
// `autofocus` comes first; this acts only where the focus would fall to the body.

const nowhere = (element) => !element || element === document.body || element === document.documentElement;
const usable = (element) => element?.isConnected && !element.disabled && element.checkVisibility();
// Whether no control has the focus, or one that is disabled or hidden by now.
const lost = () => nowhere(document.activeElement) || !usable(document.activeElement);

// Focuses `element`, which is made able to take it; returns whether it has it now.
export function focusOn(element) {
  if (!usable(element)) return false;
  element.focus();
  if (document.activeElement === element) return true;
  element.tabIndex = -1;
  element.focus();
  return document.activeElement === element;
}

// A selector that finds a control again in a new copy of its part of the page.
function likeness(element) {
  if (element.id) return `#${CSS.escape(element.id)}`;
  const named = ["href", "name", "value", "data-control"]
    .filter((name) => element.hasAttribute(name))
    .map((name) => `[${name}="${CSS.escape(element.getAttribute(name))}"]`)
    .join("");
  const form = element.form?.getAttribute("action");
  return `${form ? `form[action="${CSS.escape(form)}"] ` : ""}${element.localName}${named}`;
}

// Runs `change`, which replaces nodes. If the control that had the focus went with them, its new copy has the focus
// afterwards, and without a copy the first of `others` (functions that return an element) that can take it.
export function keepFocus(change, ...others) {
  const held = document.activeElement;
  const find = nowhere(held) ? null : copyOf(held);
  change();
  if (find && lost()) [find, ...others].some((other) => focusOn(other()));
}

// Returns a function that finds `element`, or the copy that has taken its place.
function copyOf(element) {
  const selector = likeness(element);
  const place = [...document.querySelectorAll(selector)].indexOf(element);
  return () => (element.isConnected ? element : document.querySelectorAll(selector)[place]);
}

// --- What htmx swaps ---
const swaps = new WeakMap(); // XMLHttpRequest: what had the focus, and how its copy is found

const isLive = ({ headers, triggeringEvent }) => "poll" in headers || Boolean(triggeringEvent && !triggeringEvent.isTrusted);

// The element that stands where the target of a swap stood.
const partOf = (target) => (target.isConnected ? target : target.id && document.getElementById(target.id));

// The first match of `selector` that comes after `part` in the page, else the first on the page.
function nextOf(part, selector) {
  const all = [...document.querySelectorAll(selector)].filter((one) => one !== part);
  return all.find((one) => part.compareDocumentPosition(one) & Node.DOCUMENT_POSITION_FOLLOWING) ?? all[0];
}

function* places(target) {
  const part = partOf(target);
  if (part?.dataset.focusNext) {
    const next = nextOf(part, part.dataset.focusNext);
    yield next?.querySelector("[data-focus]") ?? next;
    yield document.querySelector("[data-focus-else]");
  }
  if (part) {
    yield part.matches("[data-focus]") ? part : part.querySelector("[data-focus]");
    yield part.querySelector("[role=alert], h1, h2, h3");
    if (part.textContent.trim()) yield part;
  }
  yield document.getElementById("main");
}

document.addEventListener("htmx:beforeRequest", ({ detail }) => {
  const held = document.activeElement;
  if (!nowhere(held)) swaps.set(detail.xhr, { held, find: copyOf(held) });
});
document.addEventListener("htmx:beforeSwap", ({ detail }) => {
  const held = document.activeElement;
  // A button that waits for its answer may be disabled and have lost the focus already: then it counts as it was.
  if (!nowhere(held)) swaps.set(detail.xhr, { held, find: copyOf(held) });
});
// What comes by itself moves nothing: the control is found again before anything is painted.
document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const swap = swaps.get(detail.xhr);
  if (swap && lost() && isLive(detail.requestConfig)) focusOn(swap.find());
});
document.addEventListener("htmx:afterSettle", ({ detail }) => {
  const swap = swaps.get(detail.xhr);
  if (!swap || !lost() || focusOn(swap.held)) return;
  for (const place of places(detail.target)) if (focusOn(place)) return;
});
// Nothing was swapped: the button that was pressed has the focus again, once htmx has enabled it.
document.addEventListener("htmx:afterRequest", ({ detail }) => {
  if (!swaps.has(detail.xhr)) return;
  setTimeout(() => lost() && focusOn(swaps.get(detail.xhr).held));
});
