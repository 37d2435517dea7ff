// Lets the user click the spot of a picture that is to go last. Without this script, and by keyboard, one of nine
// places is chosen; the spot is then the middle of that place.

const focus = document.getElementById("focus");
const form = document.getElementById("keepsake-form");
const memory = form?.elements.memory;
const newMemory = document.getElementById("new-memory"); // opens to write down a memory

if (focus && form) {
  const picture = focus.querySelector(".focus-picture");
  const mark = focus.querySelector(".focus-mark");
  const fields = ["focus_x", "focus_y"].map((name) => {
    const field = Object.assign(document.createElement("input"), { type: "hidden", name });
    form.append(field);
    return field;
  });
  const place = (x, y) => {
    [x, y].forEach((value, i) => {
      fields[i].value = value === null ? "" : value.toFixed(2);
    });
    mark.hidden = x === null;
    mark.style.left = `${x}%`;
    mark.style.top = `${y}%`;
  };
  const part = (at, start, size) => Math.max(0, Math.min(100, ((at - start) / size) * 100));

  focus.classList.add("is-live");
  focus.addEventListener("change", (event) => {
    const spot = event.target.value;
    if (spot === "") place(null, null);
    else place(((Number(spot) % 3) + 0.5) * (100 / 3), (Math.floor(Number(spot) / 3) + 0.5) * (100 / 3));
  });
  picture.addEventListener("click", (event) => {
    // A radio chosen by keyboard sends a click too, which has no place.
    if (event.detail === 0 || event.target.matches("input")) return;
    const box = picture.getBoundingClientRect();
    const x = part(event.clientX, box.left, box.width);
    const y = part(event.clientY, box.top, box.height);
    // The label's own click comes after this one and means the middle of its ninth.
    setTimeout(() => {
      place(x, y);
      form.dispatchEvent(new Event("input", { bubbles: true }));
    });
  });
  if (focus.dataset.x) place(Number(focus.dataset.x), Number(focus.dataset.y));
}

if (memory && newMemory) {
  memory.addEventListener("change", () => {
    newMemory.open = memory.value === "new";
  });
}
