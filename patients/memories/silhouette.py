"""A small map of a case without its pictures: where memories are, where they were, where the shore stands."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from math import sin, sqrt
from uuid import UUID

from patients.cases.models import Case
from patients.memories.models import Memory

TONES = ("#7c8b88", "#8f8377", "#a4aeb0", "#6d7c84", "#b09a86", "#87786c", "#596a75", "#9b8d90")
PAPER, TEAL, ALARM = "#f7f9f8", "#1b5a5f", "#9d231c"
# The session's map, on which the places were computed (LOOK.md: 1440x900 less panel, header and time strip).
AREA = (933, 772)
# Squeezed into a strip, prints keep their shape, give up some of their size and step aside for each other.
CLOSER, STEPS, GAP = 0.84, 40, 2.0
CORNER, RIGHTMOST = 0.22, 4.0
# How corners age, from those by the shore to those far inland.
AGES = (1.0, 0.7, 0.42)
GOLDEN = 0.618034


@dataclass(frozen=True)
class Sheet:
    """How large a map is drawn, and how much of it is childhood, in its own units."""

    width: int
    height: int
    childhood: int


FILE = Sheet(620, 182, 38)
WALL = Sheet(1120, 182, 68)
CERTIFICATE = Sheet(900, 268, 0)


@dataclass(frozen=True)
class Print:
    """A memory that is still there; `x` and `y` are its upper left corner."""

    x: float
    y: float
    w: float
    h: float
    tone: str
    fate: str
    order: int = 0


@dataclass(frozen=True)
class Corners:
    """The corners of emptied places, one path, as dark as its age."""

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
        """Whether there is anything to draw."""
        return bool(self.memories)


def silhouette(case: Case, sheet: Sheet = FILE, *, paper: bool = False) -> Silhouette:
    """Draw the map of one case; an unlocked one has no places yet."""
    return silhouettes([case.pk], sheet, paper=paper)[case.pk]


def silhouettes(
    cases: Iterable[UUID], sheet: Sheet = FILE, *, held: Collection[UUID] = (), paper: bool = False
) -> dict[UUID, Silhouette]:
    """Draw the maps of many cases in one query. `held`: ids of targets whose copy was found off the map."""
    rows: dict[UUID, list[Memory]] = {case: [] for case in cases}
    for memory in Memory.objects.filter(case__in=rows, x__isnull=False).order_by("number"):
        rows[memory.case_id].append(memory)
    return {case: draw(mine, sheet, held=held, paper=paper) for case, mine in rows.items()}


def draw(
    memories: Sequence[Memory], sheet: Sheet = FILE, *, held: Collection[UUID] = (), paper: bool = False
) -> Silhouette:
    """Draw `memories` (with their places, oldest first); `paper` draws them on white, without the sea."""
    if not memories:
        return Silhouette(sheet, paper=paper)
    fitted = list(zip(memories, _apart([_fit(memory, sheet) for memory in memories], sheet), strict=True))
    gone = [print_ for memory, print_ in fitted if memory.fate == Memory.Fate.ERASED]
    left = [print_ for memory, print_ in fitted if memory.fate != Memory.Fate.ERASED]
    targets = sum(print_.fate == Memory.Fate.TARGET for print_ in left)
    share = len(gone) / (len(gone) + targets) if gone or targets else 0.0
    away = [print_ for memory, print_ in fitted if memory.pk in held]
    off_map, trails = _off_map(away, sheet)
    return Silhouette(
        sheet=sheet,
        prints=left,
        corners=_corners(gone),
        land="" if paper else _land(share, sheet),
        waterlines=[] if paper else _waterlines(share, sheet),
        off_map=off_map,
        trails=trails,
        paper=paper,
        gone=len(gone),
    )


def rehearsal(days: Sequence[tuple[Memory, str]], gone: int = 0, sheet: Sheet = FILE) -> Silhouette:
    """Draw a map that isn't locked yet, by (memory, ISO day), as it would be after `gone` erasures.

    Places are those the layout starts from: time rank across, golden ratio down (LOOK.md, Session view).
    """
    ordered = [memory for memory, _day in sorted(days, key=lambda pair: (pair[1], pair[0].made_at))]
    targets = [memory.pk for memory in reversed(ordered) if memory.fate == Memory.Fate.TARGET]
    turn = {pk: order for order, pk in enumerate(targets, start=1)}
    side = min(0.16, sqrt(0.5 / max(1, len(ordered)))) * AREA[1]
    prints: list[Print] = []
    emptied: list[Print] = []
    for i, memory in enumerate(ordered):
        scale = side * (0.6 + 0.05 * (memory.intensity or 0))
        rough = Memory(
            x=(i + 0.5) / len(ordered) * 0.94 + 0.03,
            y=(i * GOLDEN) % 1 * 0.8 + 0.1,
            w=scale / AREA[0],
            h=scale * 0.8 / AREA[1],
            number=i + 1,
            fate=memory.fate,
        )
        order = turn.get(memory.pk, 0)
        (emptied if 0 < order <= gone else prints).append(_fit(rough, sheet, order))
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
    sea = sheet.width - sheet.childhood
    scale = CLOSER * sqrt(sea * sheet.height / (AREA[0] * AREA[1]))
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


def _apart(prints: list[Print], sheet: Sheet) -> list[Print]:
    """Push prints that lie on each other apart, each pair along its shorter way; the same each time."""
    xs, ys = [one.x for one in prints], [one.y for one in prints]
    for _step in range(STEPS):
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
                    xs[i], xs[j] = xs[i] - across * 0.3, xs[j] + across * 0.3
                else:
                    lower = 1 if ys[j] + prints[j].h / 2 >= ys[i] + prints[i].h / 2 else -1
                    ys[i], ys[j] = ys[i] - lower * down * 0.3, ys[j] + lower * down * 0.3
        for i, one in enumerate(prints):
            xs[i] = min(max(xs[i], sheet.childhood + 2), sheet.width - one.w - 2)
            ys[i] = min(max(ys[i], 2), sheet.height - one.h - 2)
    return [replace(one, x=round(x, 1), y=round(y, 1)) for one, x, y in zip(prints, xs, ys, strict=True)]


def _corners(emptied: Sequence[Print]) -> list[Corners]:
    """Group emptied places, oldest (by the shore) first, into three ages."""
    third = -(-len(emptied) // len(AGES)) or 1
    return [
        Corners("".join(_bracket(place) for place in emptied[start : start + third]), opacity)
        for opacity, start in zip(AGES, range(0, len(emptied), third), strict=False)
    ]


def _bracket(place: Print) -> str:
    c = round(max(2.0, min(place.w, place.h) * CORNER), 1)
    right, bottom = round(place.x + place.w, 1), round(place.y + place.h, 1)
    return (
        f"M{place.x} {place.y + c:.1f}V{place.y}h{c}M{right - c:.1f} {place.y}H{right}v{c}"
        f"M{right} {bottom - c:.1f}V{bottom}h-{c}M{place.x + c:.1f} {bottom}H{place.x}v-{c}"
    )


def _edge(share: float, sheet: Sheet, inset: float = 0.0) -> str:
    """Points of the shore from top to bottom: a line that wanders like cut paper, the same each time."""
    sea = sheet.width - sheet.childhood
    line = min(sheet.childhood + sea * (1 - share), sheet.width - RIGHTMOST) - inset
    wander = 1.0 if share < 1 else 0.0
    points = []
    for y in range(0, sheet.height + 4, 4):
        sway = wander * (3.1 * sin(y * 0.09 + 1) + 2.2 * sin(y * 0.27) + 1.3 * sin(y * 0.71 + 2))
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


def _off_map(away: Sequence[Print], sheet: Sheet) -> tuple[list[Print], list[str]]:
    """Where copies in childhood stand, and a dashed way from each to its target."""
    size = min(14.0, sheet.childhood / 2)
    spots, trails = [], []
    for i, target in enumerate(away):
        x = (sheet.childhood - size) / 2
        y = (sheet.height - size) * (i + 1) / (len(away) + 1)
        to_x, to_y = target.x + target.w / 2, target.y + target.h / 2
        lift = min(y, to_y) - 26
        spots.append(Print(round(x, 1), round(y, 1), size, round(size * 0.8, 1), ALARM, "copy"))
        trails.append(
            f"M{x + size:.1f} {y + size / 2:.1f}Q{(x + to_x) / 2:.1f} {max(4, lift):.1f} "
            f"{to_x:.1f} {to_y:.1f}"
        )
    return spots, trails
