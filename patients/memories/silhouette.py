"""The silhouette: a small drawing of a case's map, with a rectangle (`Print`) for each memory, no pictures.

Memories lie on the sea, the oldest at the left. What is erased becomes land, which grows from the right. The
edge of the land is the shore. Corner brackets mark where erased memories were.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import ceil, sin, sqrt
from uuid import UUID

from patients.cases.models import Case
from patients.memories.models import Memory

TONES = ("#7c8b88", "#8f8377", "#a4aeb0", "#6d7c84", "#b09a86", "#87786c", "#596a75", "#9b8d90")
PAPER, TEAL, ALARM = "#f7f9f8", "#1b5a5f", "#9d231c"
# Size in pixels of the map on the session page: a window of 1440x900 without panel, header and time strip.
# patients/maps/layout.py computes the places for the same proportions.
AREA = (933, 772)
# On the small sheet, prints keep their shape and shrink by this factor. Then they are pushed apart, in so
# many rounds, until they are GAP units apart.
SHRINK, PUSH_ROUNDS, GAP = 0.84, 40, 2.0
CORNER_SHARE = 0.22  # length of a bracket's arm, as a share of the print's shorter side
SHORE_MARGIN = 4.0  # distance that the shore keeps from the right edge, even before the first erasure
# Opacity of the brackets, from those by the shore (erased last) to those far inland.
AGE_OPACITIES = (1.0, 0.7, 0.42)
GOLDEN = 0.618034  # the golden ratio
# Share of an overlap by which each of two prints is moved in one round.
_PUSH_SHARE = 0.3


@dataclass(frozen=True)
class Sheet:
    """Size of a drawing, and the width of its childhood strip at the left, in SVG units."""

    width: int
    height: int
    childhood: int


FILE = Sheet(620, 182, 38)
WALL = Sheet(1120, 182, 68)
CERTIFICATE = Sheet(900, 268, 0)


@dataclass(frozen=True)
class Print:
    """The rectangle of one memory. x, y: upper left corner. order: place in the order of erasure, or 0."""

    x: float
    y: float
    w: float
    h: float
    tone: str
    fate: str
    order: int = 0


@dataclass(frozen=True)
class Corners:
    """The corner brackets of a group of erased memories, as one SVG path."""

    path: str
    opacity: float


@dataclass(frozen=True)
class Silhouette:
    """What components/silhouette.html draws."""

    sheet: Sheet = FILE
    prints: list[Print] = field(default_factory=list)
    corners: list[Corners] = field(default_factory=list)
    land: str = ""
    waterlines: list[tuple[str, float]] = field(default_factory=list)
    off_map: list[Print] = field(default_factory=list)
    trails: list[str] = field(default_factory=list)
    paper: bool = False
    gone: int = 0

    @property
    def memories(self) -> int:
        return len(self.prints) + self.gone

    @property
    def places(self) -> bool:
        """Whether any memory has a place, so that there is something to draw."""
        return bool(self.memories)


def silhouette(case: Case, sheet: Sheet = FILE, *, paper: bool = False) -> Silhouette:
    """Return the drawing of one case's map. It is empty until the map was locked once."""
    return silhouettes([case.pk], sheet, paper=paper)[case.pk]


def silhouettes(
    cases: Iterable[UUID], sheet: Sheet = FILE, *, held: Collection[UUID] = (), paper: bool = False
) -> dict[UUID, Silhouette]:
    """Return the drawings of many cases' maps, with one query.

    held: ids of targets of which a copy was found off the map. paper: see `draw`.
    """
    rows: dict[UUID, list[Memory]] = {case: [] for case in cases}
    for memory in Memory.objects.filter(case__in=rows, x__isnull=False).order_by("number"):
        rows[memory.case_id].append(memory)
    return {case: draw(memories, sheet, held=held, paper=paper) for case, memories in rows.items()}


def draw(
    memories: Sequence[Memory], sheet: Sheet = FILE, *, held: Collection[UUID] = (), paper: bool = False
) -> Silhouette:
    """Return the drawing of `memories`, which have their places and are sorted from the oldest.

    held: see `silhouettes`. paper: for print: on white, without sea and shore.
    """
    if not memories:
        return Silhouette(sheet, paper=paper)
    fitted = list(
        zip(memories, _push_apart([_fit(memory, sheet) for memory in memories], sheet), strict=True)
    )
    gone = [rectangle for memory, rectangle in fitted if memory.fate == Memory.Fate.ERASED]
    remaining = [rectangle for memory, rectangle in fitted if memory.fate != Memory.Fate.ERASED]
    targets = sum(rectangle.fate == Memory.Fate.TARGET for rectangle in remaining)
    share = len(gone) / (len(gone) + targets) if gone or targets else 0.0
    copied_targets = [rectangle for memory, rectangle in fitted if memory.pk in held]
    off_map, trails = _off_map(copied_targets, sheet)
    return Silhouette(
        sheet=sheet,
        prints=remaining,
        corners=_corners(gone),
        land="" if paper else _land(share, sheet),
        waterlines=[] if paper else _waterlines(share, sheet),
        off_map=off_map,
        trails=trails,
        paper=paper,
        gone=len(gone),
    )


def rehearsal(days: Sequence[tuple[Memory, str]], gone: int = 0, sheet: Sheet = FILE) -> Silhouette:
    """Return the drawing of a map that is not locked yet, as it would look after `gone` erasures.

    days: memories with their ISO dates. They are placed as at the start of patients/maps/layout.py: from left
    to right by date, and down by the golden ratio.
    """
    ordered = [memory for memory, _day in sorted(days, key=lambda pair: (pair[1], pair[0].made_at))]
    targets = [memory.pk for memory in reversed(ordered) if memory.fate == Memory.Fate.TARGET]
    order_of = {pk: order for order, pk in enumerate(targets, start=1)}
    # The more memories, the smaller their prints; at most 16 % of the area's height.
    side = min(0.16, sqrt(0.5 / max(1, len(ordered)))) * AREA[1]
    prints: list[Print] = []
    emptied: list[Print] = []
    for i, memory in enumerate(ordered):
        scale = side * (0.6 + 0.05 * (memory.intensity or 0))
        placed = Memory(
            x=(i + 0.5) / len(ordered) * 0.94 + 0.03,
            y=(i * GOLDEN) % 1 * 0.8 + 0.1,
            w=scale / AREA[0],
            h=scale * 0.8 / AREA[1],
            number=i + 1,
            fate=memory.fate,
        )
        order = order_of.get(memory.pk, 0)
        (emptied if 0 < order <= gone else prints).append(_fit(placed, sheet, order))
    share = min(gone, len(targets)) / len(targets) if targets else 0.0
    return Silhouette(
        sheet=sheet,
        prints=prints,
        corners=_corners(emptied),
        land=_land(share, sheet),
        waterlines=_waterlines(share, sheet),
        gone=len(emptied),
    )


def _fit(memory: Memory, sheet: Sheet, order: int = 0) -> Print:
    """Return the rectangle of a memory, scaled to the sheet."""
    sea = sheet.width - sheet.childhood
    scale = SHRINK * sqrt(sea * sheet.height / (AREA[0] * AREA[1]))
    width, height = (memory.w or 0) * AREA[0] * scale, (memory.h or 0) * AREA[1] * scale
    middle_x = sheet.childhood + (memory.x or 0) * sea
    middle_y = (memory.y or 0) * sheet.height
    return Print(
        x=round(min(max(middle_x - width / 2, sheet.childhood + 2), sheet.width - width - 2), 1),
        y=round(min(max(middle_y - height / 2, 2), sheet.height - height - 2), 1),
        w=round(width, 1),
        h=round(height, 1),
        tone=TONES[(memory.number or 0) % len(TONES)],
        fate=str(memory.fate),
        order=order,
    )


def _push_apart(prints: list[Print], sheet: Sheet) -> list[Print]:
    """Push overlapping prints apart, each pair along the axis with the smaller overlap. No randomness."""
    xs, ys = [one.x for one in prints], [one.y for one in prints]
    for _round in range(PUSH_ROUNDS):
        order = sorted(range(len(prints)), key=lambda i: (xs[i], i))
        for place, i in enumerate(order):
            for j in order[place + 1 :]:
                across = xs[i] + prints[i].w + GAP - xs[j]
                if across <= 0:
                    break
                down = min(ys[i] + prints[i].h - ys[j], ys[j] + prints[j].h - ys[i]) + GAP
                if down <= 0:
                    continue
                if across < down:
                    xs[i], xs[j] = xs[i] - across * _PUSH_SHARE, xs[j] + across * _PUSH_SHARE
                else:
                    j_is_lower = ys[j] + prints[j].h / 2 >= ys[i] + prints[i].h / 2
                    step = (down if j_is_lower else -down) * _PUSH_SHARE
                    ys[i], ys[j] = ys[i] - step, ys[j] + step
        for i, one in enumerate(prints):
            xs[i] = min(max(xs[i], sheet.childhood + 2), sheet.width - one.w - 2)
            ys[i] = min(max(ys[i], 2), sheet.height - one.h - 2)
    return [replace(one, x=round(x, 1), y=round(y, 1)) for one, x, y in zip(prints, xs, ys, strict=True)]


def _corners(emptied: Sequence[Print]) -> list[Corners]:
    """Group the places of erased memories, sorted from the oldest (by the shore), into three opacities."""
    third = max(1, ceil(len(emptied) / len(AGE_OPACITIES)))
    return [
        Corners("".join(_bracket(place) for place in emptied[start : start + third]), opacity)
        for opacity, start in zip(AGE_OPACITIES, range(0, len(emptied), third), strict=False)
    ]


def _bracket(place: Print) -> str:
    c = round(max(2.0, min(place.w, place.h) * CORNER_SHARE), 1)
    right, bottom = round(place.x + place.w, 1), round(place.y + place.h, 1)
    return (
        f"M{place.x} {place.y + c:.1f}V{place.y}h{c}M{right - c:.1f} {place.y}H{right}v{c}"
        f"M{right} {bottom - c:.1f}V{bottom}h-{c}M{place.x + c:.1f} {bottom}H{place.x}v-{c}"
    )


def _edge(share: float, sheet: Sheet, inset: float = 0.0) -> str:
    """Return the points of the shore from top to bottom: a wavy line without randomness.

    share: which part of the targets is erased, 0..1. inset: how far to the left of the shore the line is.
    """
    sea = sheet.width - sheet.childhood
    line = min(sheet.childhood + sea * (1 - share), sheet.width - SHORE_MARGIN) - inset
    is_wavy = share < 1  # once all is erased, the shore is a straight line at the left
    points = []
    for y in range(0, sheet.height + 4, 4):
        wave = 3.1 * sin(y * 0.09 + 1) + 2.2 * sin(y * 0.27) + 1.3 * sin(y * 0.71 + 2)
        sway = wave if is_wavy else 0.0
        points.append(f"{max(sheet.childhood, line + sway):.1f} {y}")
    return "L".join(points)


def _land(share: float, sheet: Sheet) -> str:
    return f"M{_edge(share, sheet)}L{sheet.width} {sheet.height}V0Z"


def _waterlines(share: float, sheet: Sheet) -> list[tuple[str, float]]:
    if share >= 1:
        return []
    return [
        (f"M{_edge(share, sheet, inset)}", opacity)
        for inset, opacity in ((3, 0.55), (6, 0.35), (9.5, 0.22), (13.5, 0.12))
    ]


def _off_map(copied_targets: Sequence[Print], sheet: Sheet) -> tuple[list[Print], list[str]]:
    """Return a rectangle in the childhood strip for each target's copy, and a curve from it to the target."""
    size = min(14.0, sheet.childhood / 2)
    copies, trails = [], []
    for i, target in enumerate(copied_targets):
        x = (sheet.childhood - size) / 2
        y = (sheet.height - size) * (i + 1) / (len(copied_targets) + 1)
        to_x, to_y = target.x + target.w / 2, target.y + target.h / 2
        lift = min(y, to_y) - 26
        copies.append(Print(round(x, 1), round(y, 1), size, round(size * 0.8, 1), ALARM, "copy"))
        trails.append(
            f"M{x + size:.1f} {y + size / 2:.1f}Q{(x + to_x) / 2:.1f} {max(4, lift):.1f} "
            f"{to_x:.1f} {to_y:.1f}"
        )
    return copies, trails
