"""Writes data/README.md, the datasheet of data/demo, from its tables; --check holds it to them.

uv run benchmarks/datasheet.py [--check]
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

from pages import ROOT, keep, table, wrapped
from PIL import Image

from trichotrack.labels.read import read_labels
from trichotrack.labels.tables import CaptureRow, LabelSet
from trichotrack.synth.demo import DEMO_SEED, SALT, SALT_WEIGHTS
from trichotrack.synth.write import JPEG_QUALITY, NOTICE

DEMO = ROOT / "data" / "demo"
DOCUMENT = ROOT / "data" / "README.md"

PAGE = """\
# data/demo: synthetic scalps, no person

Made by `uv run benchmarks/datasheet.py` from the tables in `data/demo`; do not edit. After Gebru et al.,
*Datasheets for Datasets* (2021).

Everything in `data/demo` was rendered by `trichotrack.synth`. **{notice}**: so says the comment of every JPEG.
No photograph, no crop and no annotation of a real person went into it.

## Motivation

So that every command of trichotrack runs in a fresh clone: training on the labelled set, reading and following
the patient. No public set of captures has the signs of alopecia areata marked, and captures of patients cannot
be given away.

## Composition

**`labelled/`**: {labelled_captures} captures of {labelled_people} synthetic people, {labelled_size}, as
`captures.csv`, `labels.csv`, `objects.csv` and `signs.yaml` ([formats](../docs/formats.md#labelled-data)).
Every sign that is drawn is labelled exhaustively in every capture{masks}. Split by person: {people_by_split}.

{labelled_counts}

**`patient/`**: one synthetic patient, P001, over {visits} visits ({visit_dates}), two sites, three fields a
site, the first field of each taken twice: {patient_captures} captures, {patient_size}. Files are named
`{{site}}_{{field}}_{{n}}.jpg`. Beside them:

- `captures.csv`, `labels.csv`, `objects.csv`, `signs.yaml`: the truth of every capture, to compare a reading
  with.
- {correspondence}
- `treatments.csv`: `patient, drug, dose, unit, route, start, end, stop_reason, response`. Drugs have letters
  for names.
- `salt.csv`: `patient, date, top, back, left, right, total`. Regions in %; total = {salt_weights}. It falls
  from {salt_first} to {salt_last} in {salt_weeks} weeks and is held, shaped like a published case.
- `scale.csv`, `patient.csv`: the scale of every capture; the patient.

True counts, first shot of every field, both sites ({visit_area:.2f} cm² a visit):

{patient_counts}

## Collection

By synthesis; nobody was asked, for there is nobody. One command gives the same files again (with the library
versions of `requirements.lock`):

    trichotrack synth demo --out data/demo --seed {seed}

No exam draws from that seed. One pass of the bundled model had a seed of the same number, and drew other scales, sizes
and priors from it: no capture here is one that the model was taught on.

A scalp is drawn in µm and then photographed: [how, and every assumption](../docs/synthetic-scalp.md). What a
label means:

- The point is the root, where the shaft leaves the skin; of a dot, its centre.
- A structure that lies mostly under hair, or that the border cuts so short that its sign cannot be told, is
  *not drawn*. So every hair in the picture with its root in view has its label.
- Tip and tip width are empty where the free end is out of view. Widths are calibres in µm at root and tip.
- Hair that only crosses the field, cut fragments, fibres, empty openings, freckles, dirt, bubbles and scale are
  drawn and have no label: they are the look-alikes.
- `intermediate_hair` (30 to 55 µm) is neither vellus nor terminal: ignore it in training and figures.
- Repeats and visits are photographs of the same follicles with the probe laid on again: shifted, turned, the
  skin stretched.

## Recommended uses

Trying the commands; tests; a first training to see that all works. Not: the validation of a model, a comparison
with other methods, or any statement on patients.

## Limits

- The densities of the signs are assumed. Nobody publishes them; nothing about patients follows from these
  counts.
- The look was tuned by eye and by figures beside real captures of clipped scalps at 70×. No real capture of
  alopecia areata was available, so the signs are drawn from their definitions.
- A model that does well here has shown that it reads these renders. It says nothing of its use on people.

## Licence and upkeep

Apache-2.0, as the code. It is made anew when the renderer changes: the version of the code is that of its data.
"""


CORRESPONDENCE = (
    "`correspondence.csv`: for every object its `structure` (the same in every capture of its field while it is the "
    "same structure) and the number of its `follicle` (the same whatever grows there). {objects} objects are "
    "{structures} structures, {again} of them seen more than once."
)


def page() -> str:
    """The whole datasheet."""
    labelled, patient = read_labels(DEMO / "labelled"), read_labels(DEMO / "patient")
    people = {row.patient: row.split for row in labelled.captures}
    splits = [split for split in ("train", "val", "test") if split in people.values()]
    dates = sorted({row.date for row in patient.captures})
    first_shots = {row.file for row in patient.captures if row.file.endswith("_1.jpg")}
    masked = sum(1 for row in labelled.captures if row.valid_area)
    falls = next(weeks for weeks, regions in SALT if not sum(regions))
    text = PAGE.format(
        notice=NOTICE,
        seed=DEMO_SEED,
        labelled_captures=len(labelled.captures),
        labelled_people=len(people),
        labelled_size=described(labelled),
        masks=f"; {masked} have a mask of what is not scalp (`masks/`)" if masked else "",
        people_by_split=", ".join(f"{sum(s == split for s in people.values())} {split}" for split in splits),
        labelled_counts=counts(labelled, splits, lambda row: row.split),
        visits=len(dates),
        visit_dates=", ".join(dates),
        patient_captures=len(patient.captures),
        patient_size=described(patient),
        correspondence=correspondence(DEMO / "patient"),
        salt_weights=" + ".join(f"{weight:.2f} {region}" for region, weight in SALT_WEIGHTS.items()),
        salt_first=SALT[0][1][0],
        salt_last=0,
        salt_weeks=falls,
        visit_area=sum(area_cm2(patient, row) for row in patient.captures if row.file in first_shots) / len(dates),
        patient_counts=counts(patient, dates, lambda row: row.date if row.file in first_shots else ""),
    )
    return wrapped(text)


def counts(labels: LabelSet, groups: list[str], group_of: Callable[[CaptureRow], str]) -> str:
    """Objects by sign and group; signs that are labelled in no capture are left out."""
    of_file = {row.file: group_of(row) for row in labels.captures}
    found = Counter((item.sign, of_file[item.file]) for item in labels.objects)
    told = {label.sign for label in labels.labels}
    rows = [
        [sign.label, *(str(found[name, group]) for group in groups)]
        for name, sign in labels.signs.items()
        if name in told
    ]
    return table(["", *groups], rows)


def described(labels: LabelSet) -> str:
    """Size in px, scale, and JPEG quality."""
    sizes = sorted({size_px(labels, row) for row in labels.captures})
    scales = [row.um_per_px for row in labels.captures if row.um_per_px]
    names = f"{_size(sizes[0])} to {_size(sizes[-1])}" if len(sizes) > 1 else _size(sizes[0])
    span = f"{min(scales):.1f} to {max(scales):.1f}" if max(scales) - min(scales) > 0.05 else f"**{scales[0]:g}**"
    return f"JPEG at quality {JPEG_QUALITY}, {names} px at {span} µm/px"


def size_px(labels: LabelSet, row: CaptureRow) -> tuple[int, int]:
    with Image.open(labels.folder / row.file) as image:
        return image.size


def area_cm2(labels: LabelSet, row: CaptureRow) -> float:
    width, height = size_px(labels, row)
    return width * height * ((row.um_per_px or 0.0) / 1e4) ** 2


def correspondence(folder: Path) -> str:
    """What correspondence.csv holds, or how objects correspond where there is none."""
    path = folder / "correspondence.csv"
    if not path.is_file():
        return "An object's `id` ends in that of its follicle, which is the same in every capture of the field."
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    again = _seen_again((row["site"], row["field"], row["structure"]) for row in rows)
    return CORRESPONDENCE.format(objects=len(rows), structures=again[0], again=again[1])


def _seen_again(structures: Iterable[tuple[str, str, str]]) -> tuple[int, int]:
    seen = Counter(structures)
    return len(seen), sum(count > 1 for count in seen.values())


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]}×{size[1]}"


if __name__ == "__main__":
    keep(DOCUMENT, page, __doc__ or "")
