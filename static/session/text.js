// Words on the page.

export const fill = (text, values) => text.replace(/%\((\w+)\)s/g, (_, key) => values[key] ?? "");

// Makes a node say `text`. Its text node stays the same: a night writes thousands of times, and each node that
// is replaced is one more that the browser keeps for a long while.
export function write(node, text) {
  const only = node.childNodes.length === 1 ? node.firstChild : null;
  if (only?.nodeType !== Node.TEXT_NODE) node.textContent = text;
  else if (only.data !== text) only.data = text;
}
