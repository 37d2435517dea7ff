// Draws the calendar with EventCalendar, and moves bookings by pointer and by keyboard. The server words everything and
// decides about every move (clinic/calendar_pages/views.py). All times here are the clinic's clock without a zone, as
// "2030-02-13T20:00:00": the browser's own zone must not matter.

import { send } from "../page/account.js";

const part = (name) => document.getElementById(`calendar-${name}`);
const data = JSON.parse(part("data").textContent);
const { texts } = data;
const section = part("picture"), drawing = part("drawing");
const inMonth = data.view === "dayGridMonth", inTimeline = data.view === "resourceTimelineDay";
const DAY = 86400, QUARTER = 900; // seconds

// --- Times ---

const toSeconds = (clock) => Date.parse(`${clock}Z`) / 1000;
const addSeconds = (clock, count) => new Date(1000 * (toSeconds(clock) + count)).toISOString().slice(0, 19);
const durationSeconds = ({ days = 0, seconds = 0 }) => days * DAY + seconds; // of EventCalendar's durations
const pad = (number) => String(number).padStart(2, "0");
const dayOf = (date) => `${date.getFullYear()}-${pad(date.getMonth() + 1)}-${pad(date.getDate())}`;
const fillIn = (text, values) => text.replace(/%\((\w+)\)s/g, (_all, name) => values[name]);

function momentInWords(clock) {
  const day = clock.slice(0, 10);
  return fillIn(texts.moment, { day: data.days[day] ?? day, clock: clock.slice(11, 16) });
}

function inWords(begins, ends) {
  const same = begins.slice(0, 10) === ends.slice(0, 10);
  return fillIn(texts.span, { start: momentInWords(begins), end: same ? ends.slice(11, 16) : momentInWords(ends) });
}

// A column of the drawing shows a day from one morning to the next, so that a night is not cut at midnight.
const morning = inMonth ? 0 : toSeconds(`1970-01-01T${data.morning}:00`);
const isShown = (begins) => addSeconds(begins, -morning).slice(0, 10) in data.heads;

// --- Messages ---

function button(text, work) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = text;
  made.addEventListener("click", work);
  return made;
}

function announce(text, ...buttons) {
  part("says").textContent = text;
  part("choices").replaceChildren(...buttons);
}

// --- The drawing ---

let events = new Map(data.events.map((event) => [event.id, event]));
let current = null; // the id of the booking that the Tab key reaches
let focusing = null; // the id of the focused booking while it is drawn again

// Returns the button of a booking. The library's own element, around it, cannot take the focus.
function eventContent({ event }) {
  const { hours, who, what, where } = event.extendedProps;
  const button = document.createElement("button");
  button.type = "button";
  button.tabIndex = -1;
  button.dataset.id = event.id;
  for (const [tag, text] of [["b", who], ["span", what], ["span", hours], ["span", where]]) {
    if (!text) continue;
    const node = document.createElement(tag);
    node.textContent = text;
    button.append(...(button.childNodes.length ? [" ", node] : [node]));
  }
  return { domNodes: [button] };
}

const elementOf = (id) => drawing.querySelector(`.ec-event:not(.ec-ghost, .ec-preview) button[data-id="${id}"]`);

// The ids of the bookings that are drawn, in order of time. If one has several elements, the first takes the focus.
const drawnIds = () => [...events.keys()].filter((id) => elementOf(id));

// The library gives its elements the roles of a table without rows. Remove them: the list says the same as text.
function dropRoles() {
  for (const element of drawing.querySelectorAll("[role]")) {
    for (const { name } of [...element.attributes]) {
      if (name === "role" || name.startsWith("aria-col") || name.startsWith("aria-row")) element.removeAttribute(name);
    }
  }
}

// Lets the Tab key reach one booking only; arrow keys lead to the others. Called after every change of the drawing.
function updateTabStop() {
  dropRoles();
  const ids = drawnIds();
  if (!ids.includes(current)) current = ids[0] ?? null;
  for (const element of drawing.querySelectorAll("button[tabindex='0']")) element.tabIndex = -1;
  if (current) elementOf(current).tabIndex = 0;
  if (focusing && !drawing.contains(document.activeElement)) elementOf(focusing)?.focus();
}

function focusOn(id) {
  current = id;
  updateTabStop();
  elementOf(id)?.focus();
}

// Calls `draw`, which replaces a booking's element, and keeps the focus on the booking.
function drawWithFocus(id, draw) {
  current = focusing = id;
  draw();
  requestAnimationFrame(() => {
    focusing = null;
    focusOn(id);
  });
}

new MutationObserver(updateTabStop).observe(drawing, { childList: true, subtree: true });

// A browser sends a click after a drag that ends where it began. It must not open the booking.
let isDragging = false;
const dragStarts = () => (isDragging = true);
const dragStops = () => setTimeout(() => (isDragging = false));

const calendar = window.EventCalendar.create(drawing, {
  view: data.view,
  date: data.date,
  firstDay: data.firstDay,
  locale: data.locale,
  headerToolbar: { start: "", center: "", end: "" },
  highlightedDates: [data.today],
  allDaySlot: false,
  slotMinTime: data.morning,
  slotMaxTime: `${24 + Number(data.morning.slice(0, 2))}:00`,
  slotDuration: inTimeline ? "01:00" : "00:30",
  slotLabelInterval: "01:00",
  slotHeight: 20,
  slotWidth: 50,
  snapDuration: "00:15",
  slotEventOverlap: false,
  slotLabelFormat: (date) => `${pad(date.getHours())}:00`,
  dayHeaderFormat: inMonth ? { weekday: "short" } : (date) => data.heads[dayOf(date)] ?? "",
  editable: false, // each event has its own `editable`
  eventDurationEditable: !inMonth,
  resources: data.resources,
  events: data.events,
  eventContent,
  eventDragStart: dragStarts,
  eventDragStop: dragStops,
  eventResizeStart: dragStarts,
  eventResizeStop: dragStops,
  eventDrop: ({ event, delta, newResource, revert }) => {
    if (newResource) {
      revert();
      announce(texts.people);
      return;
    }
    const { begins, ends } = events.get(event.id).extendedProps;
    moveTo(event.id, addSeconds(begins, durationSeconds(delta)), addSeconds(ends, durationSeconds(delta)), revert);
  },
  eventResize: ({ event, endDelta, revert }) => {
    const { begins, ends } = events.get(event.id).extendedProps;
    moveTo(event.id, begins, addSeconds(ends, durationSeconds(endDelta)), revert);
  },
});

// --- Moving ---

// Posts a form; returns whether the move was made, and the answer. Errors: TypeError if there is no answer.
async function post(url, fields) {
  const response = await send(`${url}?${section.dataset.query}`, {
    method: "POST", body: new URLSearchParams(fields), headers: { Accept: "application/json" },
  });
  if (response.status === 403) return { ok: false, said: texts.fixed };
  const answer = await response.json().catch(() => ({}));
  if (!answer.said) throw new TypeError("no answer");
  return { ok: response.ok, ...answer };
}

// Loads drawing and list from the server again. id: the booking that has the focus afterwards, or null.
async function refresh(id) {
  const response = await send(location.href);
  if (!response.ok) throw new TypeError("no answer");
  const page = new DOMParser().parseFromString(await response.text(), "text/html");
  const fresh = JSON.parse(page.getElementById("calendar-data").textContent);
  events = new Map(fresh.events.map((event) => [event.id, event]));
  if (id) drawWithFocus(id, () => calendar.setOption("events", fresh.events));
  else calendar.setOption("events", fresh.events);
  part("list").replaceWith(document.adoptNode(page.getElementById("calendar-list")));
}

// Sends a move and announces the result. revert: puts the booking back where it was.
async function sendMove(id, url, fields, revert = () => {}) {
  const hadFocus = drawing.contains(document.activeElement) || part("choices").contains(document.activeElement);
  let answer;
  try {
    answer = await post(url, fields);
    if (!answer.ok) revert();
    await refresh(hadFocus ? id : null);
  } catch {
    if (!answer?.ok) revert();
    answer ??= { said: texts.failed };
  }
  const choices = [];
  if (answer.undo) choices.push(button(texts.undo, () => sendMove(id, answer.undo.url, answer.undo.fields)));
  if (answer.confirm) {
    choices.push(
      button(texts.confirm, () => sendMove(id, url, { ...fields, confirmed: answer.confirm })),
      button(texts.leave, () => { announce(""); focusOn(id); }),
    );
  }
  announce(answer.said, ...choices);
  if (hadFocus && answer.confirm) choices[0].focus();
}

function moveTo(id, begins, ends, revert) {
  const { move, fields } = events.get(id).extendedProps;
  if (toSeconds(ends) - toSeconds(begins) >= DAY) {
    revert();
    announce(texts.long);
    return;
  }
  announce(fillIn(texts.sending, { hours: inWords(begins, ends) }));
  sendMove(id, move, {
    ...fields, day: begins.slice(0, 10), begins: begins.slice(11, 16), ends: ends.slice(11, 16),
  }, revert);
}

// --- By keyboard ---

let pickedUp = null; // the booking that is picked up: id, begins, ends

function draw(id, begins, ends, ...classNames) {
  const event = events.get(id);
  const changed = { ...event, start: begins, end: ends, classNames: [...event.classNames, ...classNames] };
  drawWithFocus(id, () => calendar.updateEvent(changed));
}

function restore(id) {
  const event = events.get(id);
  draw(id, event.start, event.end);
}

function pickUp(id) {
  const { move, begins, ends } = events.get(id).extendedProps;
  if (!move) {
    announce(texts.fixed);
    return;
  }
  pickedUp = { id, begins, ends };
  draw(id, begins, ends, "look--held-up");
  announce(fillIn(texts.picked, { hours: inWords(begins, ends) }));
}

function putBack() {
  const { id } = pickedUp, { begins, ends } = events.get(id).extendedProps;
  pickedUp = null;
  restore(id);
  announce(fillIn(texts.back, { hours: inWords(begins, ends) }));
}

function putDown() {
  const { id, begins, ends } = pickedUp, before = events.get(id).extendedProps;
  if (begins === before.begins && ends === before.ends) {
    putBack();
    return;
  }
  pickedUp = null;
  moveTo(id, begins, ends, () => restore(id));
}

// The seconds by which an arrow key moves a booking: a quarter along the hours, a day across the days. In the month
// view: a day or a week.
function arrowStep(key) {
  const forward = key === "ArrowDown" || key === "ArrowRight" ? 1 : -1;
  const along = (key === "ArrowLeft" || key === "ArrowRight") === inTimeline;
  if (inMonth) return forward * (key === "ArrowUp" || key === "ArrowDown" ? 7 : 1) * DAY;
  return forward * (along ? QUARTER : DAY);
}

function moveByArrow(key, isEnd) {
  const size = isEnd && !inMonth ? Math.sign(arrowStep(key)) * QUARTER : arrowStep(key);
  const begins = isEnd ? pickedUp.begins : addSeconds(pickedUp.begins, size), ends = addSeconds(pickedUp.ends, size);
  const length = toSeconds(ends) - toSeconds(begins);
  if (length >= DAY || length < QUARTER) return announce(texts.long);
  if (!isShown(begins)) return announce(texts.outside);
  Object.assign(pickedUp, { begins, ends });
  draw(pickedUp.id, begins, ends, "look--held-up");
  announce(inWords(begins, ends));
}

function focusNext(id, key) {
  const ids = drawnIds(), place = ids.indexOf(id);
  const next = { Home: 0, End: ids.length - 1 }[key] ?? place + (key === "ArrowDown" || key === "ArrowRight" ? 1 : -1);
  if (ids[next]) focusOn(ids[next]);
}

drawing.addEventListener("click", ({ target }) => {
  const id = target.closest("button")?.dataset.id;
  const url = id && !pickedUp && !isDragging && events.get(id).extendedProps.url;
  if (url) location.assign(url);
});

drawing.addEventListener("keydown", (event) => {
  const { id } = event.target.dataset;
  if (!id || event.altKey || event.ctrlKey || event.metaKey) return;
  const isArrow = event.key.startsWith("Arrow");
  if (event.key === "Enter" || event.key === " ") pickedUp ? putDown() : pickUp(id);
  else if (pickedUp && event.key === "Escape") putBack();
  else if (pickedUp && isArrow) moveByArrow(event.key, event.shiftKey);
  else if (pickedUp && event.key === "Tab") return putBack();
  else if (!pickedUp && (isArrow || event.key === "Home" || event.key === "End")) focusNext(id, event.key);
  else return;
  event.preventDefault();
  event.stopPropagation();
}, { capture: true });

document.addEventListener("pointerdown", () => pickedUp && putBack(), { capture: true });

section.hidden = false;
updateTabStop();
