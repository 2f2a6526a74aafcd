"""SVG by hand: elements whose texts are escaped by construction, and the marks of pictures.py as shapes."""

from __future__ import annotations

import math
from xml.etree import ElementTree as ET

from trichotrack.signs import SIGNS

INK, SOFT, GRID = "#1a1a1a", "#595959", "#d9d9d9"
BAR, BAR_UNSURE = "#c3d2e0", "#ffffff"

_CORNERS = (0, 4, 3, 4, 3, 6, 5, 8)
_TURNS = (0.0, math.pi / 4, 0.0, 0.0, math.pi, 0.0, 0.0, 0.0)
_STAR = 7
_POSITION = {sign.name: i for i, sign in enumerate(SIGNS)}


def element(parent: ET.Element, tag: str, text: str = "", /, **attributes: float | str) -> ET.Element:
    """A child of parent; stroke_width=2 becomes stroke-width="2". Text and values are escaped when written."""
    child = ET.SubElement(parent, tag)
    for name, value in attributes.items():
        child.set(
            name.rstrip("_").replace("_", "-"),
            value if isinstance(value, str) else f"{value:.2f}".rstrip("0").rstrip("."),
        )
    if text:
        child.text = text
    return child


def drawing(identifier: str, title: str, description: str, width: float) -> ET.Element:
    """An empty drawing with its name and its text for those who do not see it. `finish` gives it its height."""
    root = ET.Element("svg")
    root.set("role", "img")
    root.set("aria-labelledby", f"{identifier}-title {identifier}-description")
    root.set("width", f"{width:g}")
    element(root, "title", title, id=f"{identifier}-title")
    element(root, "desc", description, id=f"{identifier}-description")
    return root


def finish(root: ET.Element, height: float) -> str:
    """The drawing as text for a page of HTML."""
    width = root.get("width", "0")
    root.set("viewBox", f"0 0 {width} {height:g}")
    root.set("height", f"{height:g}")
    return ET.tostring(root, encoding="unicode")


def label(
    parent: ET.Element,
    xy: tuple[float, float],
    text: str,
    /,
    *,
    size: float = 11,
    fill: str = INK,
    halo: bool = False,
    **more: float | str,
) -> ET.Element:
    """A text. halo: with a white rim, so that it is read over lines."""
    if halo:
        more = {"stroke": "#ffffff", "stroke_width": 3.0, "paint_order": "stroke", **more}
    return element(parent, "text", text, x=xy[0], y=xy[1], font_size=size, fill=fill, **more)


def line(
    parent: ET.Element, start: tuple[float, float], end: tuple[float, float], /, **more: float | str
) -> ET.Element:
    style: dict[str, float | str] = {"stroke": INK, "stroke_width": 1.0, **more}
    return element(parent, "line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], **style)


def hatch(parent: ET.Element, top_left: tuple[float, float], bottom_right: tuple[float, float]) -> None:
    """Slanting lines over a rectangle: what is not known, on a black-and-white print too."""
    (x0, y0), (x1, y1) = top_left, bottom_right
    height, strokes = y1 - y0, []
    start = x0 - height + 2.0
    while start < x1:
        left, right = max(start, x0), min(start + height, x1)
        strokes.append(f"M{left:.1f} {y1 - (left - start):.1f}L{right:.1f} {y1 - (right - start):.1f}")
        start += 4.0
    element(parent, "path", d="".join(strokes), stroke=SOFT, stroke_width=0.6, fill="none")


def shape_of(name: str) -> int:
    """The shape that pictures.py gives to a sign; a full circle for sums of signs."""
    return _POSITION.get(name, 0)


def corners(shape: int, xy: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    """Corners of a shape around xy as pictures.py draws it with the same radius; none for the circle."""
    count, reach = _CORNERS[shape], radius * 1.25
    found = []
    for i in range(count):
        angle = _TURNS[shape] + 2 * math.pi * i / count
        far = reach * (0.45 if shape == _STAR and i % 2 else 1.0)
        found.append((xy[0] + far * math.sin(angle), xy[1] - far * math.cos(angle)))
    return found


def outline(shape: int, xy: tuple[float, float], radius: float) -> str:
    """A shape as the data of a path."""
    points = corners(shape, xy, radius)
    if points:
        return "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in points) + "Z"
    radius = round(radius, 1)  # A chord that is not twice the radius, be it by rounding, makes no circle.
    arc = f"a{radius:.1f} {radius:.1f} 0 1 0"
    return f"M{xy[0] - radius:.1f} {xy[1]:.1f}{arc} {2 * radius:.1f} 0{arc} {-2 * radius:.1f} 0Z"


def marker(
    parent: ET.Element, shape: int, xy: tuple[float, float], radius: float, /, *, fill: str, **more: float | str
) -> ET.Element:
    """A mark in the shape of a sign. stroke and its width may be given; the rim is ink otherwise."""
    style: dict[str, float | str] = {
        "fill": fill,
        "stroke": INK,
        "stroke_width": 1.0,
        "stroke_linejoin": "round",
        **more,
    }
    return element(parent, "path", d=outline(shape, xy, radius), **style)


def rgb(colour: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


def sign_icon(name: str, colour: tuple[int, int, int], shape: int | None = None) -> str:
    """The mark of a sign as it is drawn on the pictures: hollow, with a dark rim. 16 × 16, for a legend.

    shape: as pictures.style_of gives it, for signs beyond the vocabulary.
    """
    root = ET.Element("svg")
    for key, value in (("width", "16"), ("height", "16"), ("viewBox", "0 0 16 16"), ("aria-hidden", "true")):
        root.set(key, value)
    root.set("class", "icon")
    for stroke, width in ((INK, 4.4), (rgb(colour), 2.4)):
        marker(
            root,
            shape_of(name) if shape is None else shape,
            (8, 8),
            4.6,
            fill="none",
            stroke=stroke,
            stroke_width=width,
        )
    return ET.tostring(root, encoding="unicode")
