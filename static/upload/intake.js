// Warns before leaving while something typed is not kept yet; htmx keeps it a moment later.

const form = document.getElementById("intake");

if (form) {
  let typed = 0;
  let kept = 0;
  let asked = 0;
  form.addEventListener("input", () => {
    typed += 1;
  });
  form.addEventListener("htmx:beforeRequest", () => {
    asked = typed;
  });
  form.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.successful) kept = asked;
  });
  form.addEventListener("submit", () => {
    kept = Infinity;
  });
  addEventListener("beforeunload", (event) => {
    if (typed > kept) event.preventDefault();
  });
}
