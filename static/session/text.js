// Words on the page.

export const fill = (text, values) => text.replace(/%\((\w+)\)s/g, (_, key) => values[key] ?? "");

// Makes a node say `text`. Its text node stays the same: a night writes thousands of times, and each node that
// is replaced is one more that the browser keeps for a long while.
export function write(node, text) {
  const only = node.childNodes.length === 1 ? node.firstChild : null;
  if (only?.nodeType !== Node.TEXT_NODE) node.textContent = text;
  else if (only.data !== text) only.data = text;
}

// What a node says, without what is hidden from who listens: clocks that run on.
function words(node) {
  const copy = node.cloneNode(true);
  for (const hidden of copy.querySelectorAll("[aria-hidden=true]")) hidden.remove();
  return copy.textContent.replace(/\s+/g, " ").trim();
}

// Makes `box` show the children of `fresh`. A child that says the same as one there already is left alone: what is put in
// anew is read out anew, and loses the focus. Returns how many were put in.
export function renew(box, fresh) {
  const old = [...box.children];
  const next = [...fresh.children].map((child) => {
    const at = old.findIndex((one) => words(one) === words(child));
    return at < 0 ? child : old.splice(at, 1)[0];
  });
  const added = next.filter((child) => child.parentNode !== box).length;
  for (const one of old) one.remove();
  let place = box.firstElementChild;
  for (const child of next) {
    if (child === place) place = place.nextElementSibling;
    else box.insertBefore(child, place);
  }
  return added;
}
