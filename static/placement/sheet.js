// Ticks on the sheet: how many there are, all or none, all between two with Shift, a frame drawn with the mouse, the arrow
// keys, and further pages as one scrolls. Without this script each box is ticked by itself and each page has a link.

const grid = document.getElementById("sheet");
const form = document.getElementById("placement");
const selection = form?.querySelector("[data-selection]");
const DRAWN = 6; // pixels that the mouse moves before a click becomes a frame
const AHEAD = "800px 0px"; // how far before its end the next page of the sheet is loaded

const boxes = () => [...grid.querySelectorAll('input[name="keepsake"]')];

function count() {
  const output = selection.querySelector("output");
  const n = grid.querySelectorAll("input:checked").length;
  output.textContent = n ? `${output.dataset.some} ${n}` : output.dataset.none;
  selection.querySelector("[data-clear]").disabled = n === 0;
}

function tick(chosen, checked = true) {
  for (const box of chosen) box.checked = checked;
  count();
}

// --- All between two ---
let last = null; // the box that was ticked last
let shift = false; // whether Shift is held while one is ticked

function ticked(box) {
  const all = boxes();
  if (shift && last?.isConnected) {
    const [from, to] = [all.indexOf(last), all.indexOf(box)].sort((a, b) => a - b);
    tick(all.slice(from, to + 1), box.checked);
  } else {
    count();
  }
  last = box;
}

// --- The keyboard: the grid is one stop of the tab key, and the arrows go on in it ---
let current = null;

function makeCurrent(box) {
  for (const one of [current, box]) {
    for (const stop of one?.closest("li").querySelectorAll("input, a") ?? []) stop.tabIndex = one === box ? 0 : -1;
  }
  current = box;
}

function columns(all) {
  const top = all[0].closest("li").offsetTop;
  const second = all.findIndex((box) => box.closest("li").offsetTop !== top);
  return second < 0 ? all.length : second;
}

function onKey(event) {
  if (event.target.name !== "keepsake") return;
  const all = boxes();
  const forwards = getComputedStyle(grid).direction === "rtl" ? -1 : 1;
  const steps = { ArrowRight: forwards, ArrowLeft: -forwards, ArrowDown: columns(all), ArrowUp: -columns(all) };
  const here = all.indexOf(event.target);
  let to = here + (steps[event.key] ?? 0);
  if (event.key === "Home") to = 0;
  if (event.key === "End") to = all.length - 1;
  if (event.key === "a" && (event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    tick(all);
  } else if (to !== here && all[to]) {
    event.preventDefault();
    if (event.shiftKey) tick(all.slice(Math.min(here, to), Math.max(here, to) + 1));
    all[to].focus();
  }
}

// --- A frame drawn with the mouse ---
let frame = null; // { start, box }: where the button went down, and what is drawn

function place(event) {
  const area = grid.getBoundingClientRect();
  const x = [frame.start.x, event.clientX].sort((a, b) => a - b);
  const y = [frame.start.y, event.clientY].sort((a, b) => a - b);
  Object.assign(frame.box.style, {
    left: `${x[0] - area.left}px`,
    top: `${y[0] - area.top}px`,
    width: `${x[1] - x[0]}px`,
    height: `${y[1] - y[0]}px`,
  });
  frame.touched = boxes().filter((box) => {
    const print = box.closest("label").getBoundingClientRect();
    return print.left < x[1] && print.right > x[0] && print.top < y[1] && print.bottom > y[0];
  });
}

function onMove(event) {
  if (!frame) return;
  const far = Math.hypot(event.clientX - frame.start.x, event.clientY - frame.start.y) > DRAWN;
  if (!frame.box && far) {
    frame.box = Object.assign(document.createElement("li"), { className: "sheet-frame", ariaHidden: "true" });
    grid.append(frame.box);
  }
  if (frame.box) place(event);
}

function onUp() {
  const drawn = frame;
  frame = null;
  if (!drawn?.box) return;
  drawn.box.remove();
  tick(drawn.touched ?? []);
  // The click that follows would change one of them again.
  const stop = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };
  addEventListener("click", stop, { capture: true, once: true });
  setTimeout(() => removeEventListener("click", stop, { capture: true }));
}

// --- Further pages ---
const observer = new IntersectionObserver(
  (entries) => {
    if (entries.some((entry) => entry.isIntersecting)) loadNext();
  },
  { rootMargin: AHEAD },
);

function watch() {
  const further = document.getElementById("further");
  const link = further?.querySelector("a[rel=next]");
  for (const other of [...(further?.children ?? [])]) if (other !== link) other.remove();
  if (link) observer.observe(link);
  else further?.remove();
}

async function loadNext() {
  const link = document.querySelector("#further a[rel=next]");
  if (!link || link.dataset.loading) return;
  link.dataset.loading = "yes";
  try {
    const answer = await fetch(link.href, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(`${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const here = new Set(boxes().map((box) => box.value));
    for (const item of page.querySelectorAll("#sheet > li")) {
      const box = item.querySelector("input");
      if (here.has(box.value)) continue;
      grid.append(document.adoptNode(item));
      for (const stop of item.querySelectorAll("input, a")) stop.tabIndex = -1;
    }
    const further = page.getElementById("further");
    if (further) link.closest("nav").replaceWith(document.adoptNode(further));
    else link.closest("nav").remove();
    watch();
  } catch {
    observer.unobserve(link); // it stays as a link to be followed
    delete link.dataset.loading;
  }
}

if (grid && form) {
  document.documentElement.classList.add("is-live");
  for (const part of selection.children) part.hidden = false;
  for (const box of boxes()) makeCurrent(box);
  makeCurrent(boxes()[0]);
  grid.addEventListener("focusin", (event) => {
    const box = event.target.closest("li")?.querySelector("input");
    if (box && box !== current) makeCurrent(box);
  });
  // A tick is nothing that is typed: no draft is kept of it.
  grid.addEventListener("input", (event) => event.stopPropagation());
  grid.addEventListener("change", (event) => ticked(event.target));
  grid.addEventListener("keydown", onKey);
  addEventListener("dragstart", (event) => {
    if (frame) event.preventDefault();
  });
  grid.addEventListener("pointerdown", (event) => {
    shift = event.shiftKey;
    if (event.pointerType !== "mouse" || event.button !== 0) return;
    getSelection().removeAllRanges(); // or the browser would drag what a click with Shift has selected
    frame = { start: { x: event.clientX, y: event.clientY } };
  });
  grid.addEventListener("keyup", () => {
    shift = false;
  });
  addEventListener("pointermove", onMove);
  addEventListener("pointerup", onUp);
  addEventListener("pointercancel", onUp);
  selection.querySelector("[data-all]").addEventListener("click", () => tick(boxes()));
  selection.querySelector("[data-clear]").addEventListener("click", () => tick(boxes(), false));
  // A browser that comes back to the page shows what was ticked there.
  addEventListener("pageshow", count);
  count();
  watch();
}
