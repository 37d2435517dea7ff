// Where in the picture the face is: tapping it fills two hidden fields with percent of width and height.

const picture = document.querySelector("#focus img");
const mark = document.querySelector("#focus .focus-mark");
const form = document.getElementById("keepsake-form");

if (picture && mark && form) {
  const x = form.elements.focus_x;
  const y = form.elements.focus_y;
  const show = () => {
    mark.hidden = x.value === "" || y.value === "";
    mark.style.left = `${x.value}%`;
    mark.style.top = `${y.value}%`;
  };
  picture.addEventListener("click", (event) => {
    const box = picture.getBoundingClientRect();
    x.value = Math.max(0, Math.min(100, ((event.clientX - box.left) / box.width) * 100)).toFixed(2);
    y.value = Math.max(0, Math.min(100, ((event.clientY - box.top) / box.height) * 100)).toFixed(2);
    show();
  });
  show();
}
