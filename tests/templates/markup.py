"""A small parser of rendered pages: elements with their attributes, in order."""

from html.parser import HTMLParser
from typing import NamedTuple

VOID = {"area", "base", "br", "col", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


class Element(NamedTuple):
    """One start tag: its name, its attributes, the names of the elements around it."""

    name: str
    attributes: dict[str, str]
    ancestors: tuple[str, ...]


class Page(HTMLParser):
    """The parsed `html`. Errors: ValueError if start and end tags do not match."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        if self.open:
            raise ValueError(f"never closed: {self.open}")

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.elements.append(Element(tag, found, tuple(self.open)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open[-1] != tag:
            raise ValueError(f"</{tag}> closes {self.open[-3:]}")
        self.open.pop()

    def handle_data(self, data: str) -> None:
        if data.strip():
            self.text.append(" ".join(data.split()))

    def all(self, name: str, **wanted: str) -> list[Element]:
        """Elements called `name` that have the attributes `wanted` (aria_label="x" for aria-label)."""
        pairs = {key.rstrip("_").replace("_", "-"): value for key, value in wanted.items()}
        return [
            element
            for element in self.elements
            if element.name == name and pairs.items() <= element.attributes.items()
        ]

    def one(self, name: str, **wanted: str) -> Element:
        """Return the only element that `all` finds. Errors: AssertionError if it finds none or several."""
        found = self.all(name, **wanted)
        assert len(found) == 1, (name, wanted, found)
        return found[0]

    @property
    def ids(self) -> list[str]:
        return [e.attributes["id"] for e in self.elements if "id" in e.attributes]
