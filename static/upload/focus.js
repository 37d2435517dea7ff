// Lets one tap the very spot in a picture that should go last. Without this, one of nine places is chosen, and so it
// is by keyboard; here each of them means its middle.

const focus = document.getElementById("focus");
const form = document.getElementById("keepsake-form");
const memory = form?.elements.memory;
const made = document.getElementById("new-memory");

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
    // A radio chosen by keyboard sends a click too, from nowhere.
    if (event.detail === 0 || event.target.matches("input")) return;
    const box = picture.getBoundingClientRect();
    const x = part(event.clientX, box.left, box.width);
    const y = part(event.clientY, box.top, box.height);
    // The label's own click comes after this one and means the middle of its ninth.
    setTimeout(() => place(x, y));
  });
  if (focus.dataset.x) place(Number(focus.dataset.x), Number(focus.dataset.y));
}

if (memory && made) {
  memory.addEventListener("change", () => {
    made.open = memory.value === "new";
  });
}
