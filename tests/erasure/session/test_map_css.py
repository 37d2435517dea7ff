"""The stylesheet that says where memories lie."""

from types import SimpleNamespace
from typing import Any

from erasure.session.map_css import map_css


def placed(number: int | None = 7, **more: Any) -> Any:
    fields = {"number": number, "x": 0.25, "y": 0.5, "w": 0.1, "h": 0.1, "tilt": -0.02, **more}
    return SimpleNamespace(**fields)


def test_a_memory_gets_its_place_and_keeps_its_shape() -> None:
    css = map_css([placed()])
    # Laid out on 900 x 745: a tenth of each side is 90 x 74.5 pixels there, whatever the window's shape.
    assert css == (
        "@media (min-width: 1100px) {\n"
        ".m7{left:25.000%;top:50.000%;"
        "width:min(10.000cqw,12.081cqh);height:min(8.278cqw,10.000cqh);rotate:-0.0200rad}\n"
        "}\n"
    )


def test_what_has_no_place_gets_no_rule() -> None:
    nowhere = [placed(None), placed(1, x=None), placed(2, h=None)]
    assert map_css([*nowhere, placed(3)]).count("{left") == 1
    assert map_css([]) == "@media (min-width: 1100px) {\n}\n"
