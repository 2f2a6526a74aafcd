"""Writes docs/synthetic-scalp.md: what is drawn, each prior with value, unit and source; --check holds it to that.

uv run benchmarks/synthetic_scalp.py

The picture beside it is made by `uv run trichotrack synth sheet --out docs/images/synthetic-scalp.jpg`.
"""

from __future__ import annotations

import ast
import inspect
import json
import re
from dataclasses import Field, fields, is_dataclass
from itertools import pairwise
from typing import Any

import yaml
from page_parts import AUGMENTED
from pages import ROOT, keep, table, wrapped
from records import RESULTS

from trichotrack.synth import patients, priors
from trichotrack.synth.priors import HELD_OUT, CameraPriors, OverlayPriors, Priors, ScalpPriors, SkinPriors

HERE = "<speed>"
DOCUMENT = ROOT / "docs" / "synthetic-scalp.md"
RECIPE = ROOT / "configs" / "bundled.yaml"
PARTS: tuple[tuple[str, type], ...] = (
    ("What grows", ScalpPriors),
    ("Skin", SkinPriors),
    ("Camera", CameraPriors),
    ("What a device draws over its picture", OverlayPriors),
)
UNITS = (
    ("_mm_per_day", "mm a day"), ("_per_cm2", "per cm²"), ("_um", "µm"), ("_px", "px"), ("_deg", "°"), ("_mm", "mm"),
    ("_weeks", "weeks"),
    ("_chance", "chance"), ("_share", "share"), ("_gain", "factor"), ("_absent", "chance"), ("_present", "chance"),
    ("_ratio", "ratio"),
)  # fmt: skip
"""Unit by the end of a prior's name; any other is told in its text, or has none."""
SOURCES = (
    ("assumed", re.compile(r"\bassumed\b", re.IGNORECASE)),
    ("literature, unverified", re.compile(r"\bunverified\b")),
    ("set by eye beside real captures", re.compile(r"\bby eye\b", re.IGNORECASE)),
    ("real captures", re.compile(r"\breal\b", re.IGNORECASE)),
    ("vocabulary", re.compile(r"cut-off|mm\.|vocabulary|definition")),
)
"""What a prior's text says of its source; a prior that says nothing is assumed."""

PAGE = """\
# The synthetic scalp

Made by `uv run benchmarks/synthetic_scalp.py` from `src/trichotrack/synth/priors.py`; do not edit. Every
picture here is synthetic: nobody in it is a person.

`trichotrack.synth` draws a scalp in µm, with its hairs, signs and skin, and then photographs it. Since it knows
what it drew, every structure has its label: sign, root, tip, calibre at both. It teaches the bundled model,
makes `data/demo` and examines models where no labelled captures exist.

```
trichotrack synth captures --out synthetic --n 200 --seed 1
trichotrack synth patient --out patient --seed 3 --course relapse
trichotrack synth sheet --out sheet.png
```

![Renders: every sign close by, every knob at three settings, and the nuisances held out](images/synthetic-scalp.jpg)

*First the signs at 4.5 µm per px; then each knob at the low end, the middle and the high end of its range, on a
quiet capture at 9 µm per px, all else held; last the nuisances held out. Chromatic aberration, which stays below a
pixel, chances of things shown elsewhere, and calibres and lengths, which the signs show, have no row. Made by
`trichotrack synth sheet`.*

## What is drawn

- **Hair**: follicular units of one to four hairs along a common stream; calibre along the shaft, curl,
  highlight, colour from black to white, free ends cut, broken, frayed or pointed. Before it leaves the skin a
  shaft shines through it, bluish; where it leaves the skin is the root, and there is the label. There the skin lies
  in folds, and the shaft may be seen again behind the lip that covers it. Beside a shaft the skin is darker, and
  redder: light that would have come back through it is lost in the hair. How rough roots are, and how dark the skin
  is behind and beside them, was set by real clipped scalps (`benchmarks/root_profile.py` tells both).
- **Signs**, as `src/trichotrack/signs.py` defines them: black dots, broken hairs, tapering hairs (free end in
  view or not), short vellus, terminal, upright regrowing and pigtail hairs, yellow dots; and intermediate hairs
  (30 to 55 µm), which are neither right nor wrong. Which sign a hair shows depends on whether it lies in the
  patch; the mix is drawn anew for each capture.
- **Look-alikes without a label**: cut fragments, hair that crosses from outside the field, empty openings,
  freckles, dirt, scale, sweat-gland openings, bubbles, glare. On clipped scalps hairs are short stubs with a
  straight end, terminal, intermediate or vellus; of the signs only yellow dots are drawn beside them. What is
  told by the free end that was cut off (broken, upright regrowing and pigtail hairs) is not labelled there; that
  there are no black dots and no tapering hairs is.
- **Skin**: tone, redness, furrows, pigment network, vessels, scale.
- **Photograph**: light, haze, glints, focus and depth, white balance, vignette, noise, sharpening, compression,
  and what devices draw over their pictures.

A label is given only where it can be seen: a root of which other hair leaves less than a tenth, a sign whose
telling end is half hidden, a stub cut by the border, a hair that drowns in blur and noise is *not drawn*, so that
no hair in a picture lacks its label. Readers mark a hair that comes out from under another, and with that tenth
roots lie as near to one another as they mark them on real, clipped scalps (`synth/label.py`). A root on something
that is not scalp (a strip of tools, a black band, the frame of a round field, burned-in text) has none: `valid`,
a mask, says where scalp is.

## Visits and correspondence

{visits}

## Determinism and speed

All randomness comes from one NumPy generator: the same seed gives the same bytes, in any process, with the
library versions of `requirements.lock`. Moving the probe moves the picture over the same scalp, furrows and
all; what photographing does is drawn apart from what grows, so a scalp can be photographed again with one hair
less.

{speed}

## Nuisances held out

Beyond the renderer's training priors; `benchmarks/held_out.py` measures what they cost. All else is as below.
{augmented}

{held_out}

## The priors

All that `Priors` holds. What only shapes a structure or a texture (waves and bows of a shaft, rims, grain, the
sizes of marks, the colours of skin and hair) is drawn from fixed numbers where the code paints it; those are not
listed here, and all are assumed or set by eye.

A range is uniform unless said otherwise; *a ± b* is a mean and a standard deviation. *Assumed* means that nobody
measured it; *real captures*, that it was measured on `hair-follicles-70x` (clipped scalps at 70×, which show no
sign of alopecia areata); *set by eye beside real captures*, that renders were changed until they looked like
those; *vocabulary*, that it follows from the definition of the sign; *literature, unverified*, that the sources
of `src/trichotrack/signs.py` say it and nobody checked. **No density of a sign here is a statement about
patients.**

{tables}
"""


VISITS = """\
A field is drawn once, with what will become of each follicle: active signs are resolved, vellus hair comes,
terminal hair follows, each follicle at weeks of its own (log-normal), and some never answer. In a relapse a share
of the follicles turns active again: their terminal hair leaves a black dot, a broken or a tapering hair, or nothing
where a dot could not be told from the hair beside it, and what is still thin stays thin. A visit shows the
field so many weeks later; a repeat is another photograph of the same visit. The probe is laid on again each
time: shifted (SD {shift_um:g} µm), turned (SD {turn_deg:g}°), the skin stretched by {low:g} to {high:g}. The
response curve, by default ({course}), is assumed.

`trichotrack synth patient --course` goes one of three ways, each with treatments and SALT that fit; the same seed
draws the same first visit for each. `response` is that of `data/demo`; in `no-response` no follicle answers; in
`relapse` the signs fall as in the response and, after treatment was stopped, rise again. The folder goes into a
record as `data/demo/patient` does in the README. A verdict of the last visit then says that the active load rose
since the previous visit, beside what it says against the first.

Every structure has an `id` for as long as it is the same structure, and the number of its `follicle`, which
never changes: hair that grows from vellus to terminal keeps its id; what grows where a black dot, a broken or a
tapering hair was is another structure of the same follicle, and so is what a relapse leaves there. A structure that
is gone never comes back. `trichotrack synth patient` writes both for every
capture, as `correspondence.csv`: the truth for matching hairs between captures.
"""

SPEED = """\


`{command}` ({date}; {processor}, one core, Python {python}. Beside it, in turn with it, Pillow decodes a JPEG
of the same captures: what a training that reads files would have to do.)
"""


def docstrings() -> dict[str, dict[str, str]]:
    """The text below each field, by class and field, on one line."""
    found: dict[str, dict[str, str]] = {}
    for node in ast.parse(inspect.getsource(priors)).body:
        if isinstance(node, ast.ClassDef):
            texts = found.setdefault(node.name, {})
            for line, below in zip(node.body, node.body[1:], strict=False):
                if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                    said = below.value if isinstance(below, ast.Expr) else None
                    if isinstance(said, ast.Constant) and isinstance(said.value, str):
                        texts[line.target.id] = " ".join(said.value.split())
            names = [line.target.id for line in node.body if isinstance(line, ast.AnnAssign)]
            for name, below in reversed(list(pairwise(names))):
                texts.setdefault(name, texts.get(below, ""))  # fields above one text share it
    return found


def rows_of(part: type, texts: dict[str, str]) -> list[list[str]]:
    """Name, value, unit, source and text of every prior of a class; those that are priors themselves are left out."""
    default = part()
    shown = [one for one in fields(part) if not is_dataclass(getattr(default, one.name))]
    return [_row(one, getattr(default, one.name), texts.get(one.name, "")) for one in shown]


def _row(one: Field[Any], value: Any, text: str) -> list[str]:
    spread = text.startswith("Mean and standard deviation")
    told = _value(value, " ± " if spread else " to ")
    return [f"`{one.name}`", told, unit_of(one.name), source_of(text), text.replace("|", "/")]


def unit_of(name: str) -> str:
    """The unit that a prior's name ends in, else "-"."""
    return next((unit for ending, unit in UNITS if name.endswith(ending)), "-")


def source_of(text: str) -> str:
    """Where a prior comes from, as its text says."""
    return next((source for source, pattern in SOURCES if pattern.search(text)), "assumed")


def _value(value: Any, between: str = " to ") -> str:
    if isinstance(value, tuple) and len(value) == 2:
        return f"{value[0]:g}{between}{value[1]:g}"
    if isinstance(value, tuple):
        return ", ".join(f"{item:g}" for item in value)
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def held_out() -> str:
    """The nuisances, each with the priors that it replaces."""
    default, rows = Priors(), []
    recipe = yaml.safe_load(RECIPE.read_text("utf-8"))["data"]["init_args"]["richer"]
    richer = {
        name: f"; much of training: {_value(tuple(values))}"
        for name, values in recipe.items()
        if isinstance(values, list)
    }
    for name, other in HELD_OUT.items():
        parts = [
            f"`{part.name}.{one.name}` {_value(getattr(theirs, one.name))} "
            f"(default: {_value(getattr(ours, one.name))}{richer.get(one.name, '')})"
            for part in fields(Priors)
            for ours, theirs in [(getattr(default, part.name), getattr(other, part.name))]
            for one in fields(theirs)
            if getattr(ours, one.name) != getattr(theirs, one.name)
        ]
        rows.append([name.replace("_", " "), "; ".join(parts)])
    return table(["nuisance", "what is replaced"], rows)


def visits() -> str:
    """How visits of one field are drawn, with the numbers of today."""
    pose = {name: one.default for name, one in inspect.signature(patients.draw_pose).parameters.items()}
    course = {one.name: one.default for one in fields(patients.Course) if isinstance(one.default, int | float)}
    low, high = pose["stretch"]
    told = ", ".join(f"{name.replace('_', ' ')} {value:g}" for name, value in course.items())
    return VISITS.format(**pose, low=low, high=high, course=told).strip()


def speed() -> str:
    """Captures drawn a second, as recorded."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("synth-speed-*.json"))]
    if not records:
        return "Captures per second and core: not measured."
    (record,) = records
    rows = [_speed_row(case) for case in record["cases"]]
    header = ["capture", "rendered a second and core", "JPEG decoded a second", "ratio"]
    return table(header, rows) + SPEED.format(**{**record, **record["machine"]}).rstrip()


def _speed_row(case: dict[str, Any]) -> list[str]:
    return [
        f"{case['width']}×{case['height']} at {case['um_per_px']:g} µm/px",
        f"{case['captures_per_s']:.1f}",
        f"{case['decoded_per_s']:.0f}",
        f"{case['ratio']:.3f} ({case['ratio_low']:.3f} to {case['ratio_high']:.3f})",
    ]


def page() -> str:
    """The whole page."""
    texts = docstrings()
    header = ["prior", "value", "unit", "source", "what it is"]
    tables = [f"### {title}\n\n{table(header, rows_of(part, texts[part.__name__]))}" for title, part in PARTS]
    text = PAGE.format(
        visits=visits(), speed=HERE, held_out=held_out(), augmented=AUGMENTED, tables="\n\n".join(tables)
    )
    return wrapped(text).replace(HERE, speed())


if __name__ == "__main__":
    keep(DOCUMENT, page, __doc__ or "")
