"""Places of a map as a stylesheet: the content security policy knows no style attributes."""

from collections.abc import Iterable

from patients.memories.models import Memory


def map_css(memories: Iterable[Memory]) -> str:
    """Return one rule for each placed memory, in percent of the map's area and radians."""
    return "\n".join(
        f"#m-{memory.pk.hex}{{left:{(memory.x or 0) * 100:.3f}%;top:{(memory.y or 0) * 100:.3f}%;"
        f"width:{(memory.w or 0) * 100:.3f}%;height:{(memory.h or 0) * 100:.3f}%;rotate:{memory.tilt:.4f}rad}}"
        for memory in memories
    )
