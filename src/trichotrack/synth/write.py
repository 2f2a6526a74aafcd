"""Synthetic captures as a labelled folder, and as JPEG files that say what they are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.problems import InputError
from trichotrack.signs import REFUSED_BY_PREPARATION, SIGN, Sign
from trichotrack.synth.draw import draw_person, draw_scalp
from trichotrack.synth.priors import CameraPriors, OverlayPriors, Priors
from trichotrack.synth.render import SyntheticCapture, capture_rng, photograph, reach_um

NOTICE = "Synthetic scalp, not a person"
"""In the comment of every JPEG written here."""

JPEG_QUALITY = 88

INTERMEDIATE = Sign(
    "intermediate_hair", "intermediate hair", "intermediate hairs",
    "Long hair of even calibre between vellus and terminal: 30 to 55 µm. Context; neither right nor wrong.",
    role="context", width_um=(30, 55), colour=(120, 94, 240),
)  # fmt: skip
"""Beyond the vocabulary: declared in signs.yaml of every folder written here."""

SIGNS: dict[str, Sign] = {**SIGN, INTERMEDIATE.name: INTERMEDIATE}
"""All that is labelled: the vocabulary and intermediate hair."""

NOT_TOLD_WHEN_CLIPPED, _ = REFUSED_BY_PREPARATION["clipped"]
"""Told by the free end that was cut off: a clipped capture says nothing of them."""


@dataclass(frozen=True)
class Rows:
    """What the three tables say of one capture."""

    capture: CaptureRow
    labels: tuple[LabelRow, ...]
    objects: tuple[ObjectRow, ...]


def rows_of(capture: SyntheticCapture, row: CaptureRow, prefix: str) -> Rows:
    """All signs that can be told, exhaustive. prefix: put before each structure's id: ids are unique in the table.

    A tip that is out of view is left empty, as nobody could mark it.
    """
    row = replace(row, um_per_px=round(capture.um_per_px, 4), preparation=capture.preparation)
    told = [sign for sign in SIGNS if capture.preparation != "clipped" or sign not in NOT_TOLD_WHEN_CLIPPED]
    objects = tuple(
        ObjectRow(
            id=f"{prefix}{item.id}",
            file=row.file,
            sign=item.sign,
            x=round(item.x, 2),
            y=round(item.y, 2),
            tip_x=None if item.tip_x is None or not item.tip_in_view else round(item.tip_x, 2),
            tip_y=None if item.tip_y is None or not item.tip_in_view else round(item.tip_y, 2),
            root_width_um=round(item.root_width_um, 1),
            tip_width_um=None if item.tip_width_um is None or not item.tip_in_view else round(item.tip_width_um, 1),
        )
        for item in capture.objects
        if item.sign in told
    )
    return Rows(row, tuple(LabelRow(row.file, sign, "exhaustive") for sign in told), objects)


def label_set(folder: Path, rows: list[Rows]) -> LabelSet:
    """The rows of all captures as one set, with SIGNS."""
    return LabelSet(
        folder=folder,
        captures=tuple(row.capture for row in rows),
        labels=tuple(label for row in rows for label in row.labels),
        objects=tuple(item for row in rows for item in row.objects),
        signs=SIGNS,
    )


def save_capture(folder: Path, file: str, capture: SyntheticCapture) -> str:
    """Writes the picture as folder/file and, where not all of it is scalp, its mask; returns valid_area ("" without).

    The mask is folder/masks/FILE.png, white where the capture shows scalp.
    """
    from PIL import Image

    save_jpeg(folder / file, capture.image)
    if capture.valid.all():
        return ""
    mask = f"masks/{Path(file.removeprefix('images/')).with_suffix('.png').as_posix()}"
    path = folder / mask
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.where(capture.valid, np.uint8(255), np.uint8(0))).convert("1").save(path, optimize=True)
    return mask


def save_jpeg(path: Path, image: NDArray[np.uint8], quality: int = JPEG_QUALITY) -> None:
    """image (H, W, 3) RGB as JPEG, with NOTICE as its comment."""
    from PIL import Image

    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(image).save(path, quality=quality, optimize=True, comment=NOTICE.encode())


def once_compressed(priors: Priors) -> Priors:
    """The same priors for captures that are saved as JPEG anyway."""
    return replace(priors, camera=replace(priors.camera, jpeg_chance=0.0))


@dataclass(frozen=True)
class Series:
    """Captures to be written: how many, of how many synthetic people, how large (px) and at what scales (µm/px).

    A person has one scale (one device); the captures of a person are of different fields. splits: names and shares of
    the people, as split_by_patient takes them.
    """

    captures: int
    captures_per_person: int = 3
    sizes_px: tuple[tuple[int, int], ...] = ((640, 512),)
    um_per_px: tuple[float, float] = (6.0, 6.0)
    splits: tuple[tuple[str, float], ...] = ()


def write_series(
    folder: Path,
    series: Series,
    seed: int,
    *,
    priors: Priors | None = None,
    on_capture: Callable[[], None] | None = None,
) -> LabelSet:
    """Renders a series into folder: images/, masks/ (of captures that are not all scalp), the three tables, signs.yaml.

    Raises InputError where folder is not empty.
    """
    from trichotrack.labels.split import split_by_patient
    from trichotrack.labels.write import write_labels

    if series.captures < 1:
        raise InputError(f"{series.captures} captures were asked for; ask for at least 1.")
    if folder.exists() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty. Give a new folder.")
    priors = once_compressed(priors or Priors())
    rows = []
    for index in range(series.captures):
        number, shot = divmod(index, series.captures_per_person)
        name = f"S{number + 1:03d}"
        capture = _capture_of_person(series, priors, seed, number, shot)
        file = f"images/{name}_{shot + 1}.jpg"
        row = CaptureRow(
            file=file, patient=name, visit="1", site="vertex", field=str(shot + 1), device="synthetic",
            valid_area=save_capture(folder, file, capture),
        )  # fmt: skip
        rows.append(rows_of(capture, row, f"{name}_{shot + 1}-"))
        if on_capture is not None:
            on_capture()
    labelset = label_set(folder, rows)
    if series.splits:
        labelset = split_by_patient(labelset, dict(series.splits), seed)
    write_labels(labelset, folder)
    return labelset


def _capture_of_person(series: Series, priors: Priors, seed: int, number: int, shot: int) -> SyntheticCapture:
    # The person's own generator comes first, so that each of the captures sees the same skin, hair and device.
    of_person = capture_rng(seed, 0, number)
    person = draw_person(of_person, priors)
    size = series.sizes_px[int(of_person.integers(len(series.sizes_px)))]
    um_per_px = round(float(of_person.uniform(*series.um_per_px)), 3)
    rng = capture_rng(seed, 1 + shot, number)
    scalp = draw_scalp(rng, reach_um(size, um_per_px), priors, person)
    return photograph(scalp, rng, size_px=size, um_per_px=um_per_px, priors=priors.camera)


def clinic_camera() -> CameraPriors:
    """A clinic's own device, set up once and well kept: narrower than what a model is trained on."""
    return CameraPriors(
        defocus_um=(0.0, 7.0),
        depth_defocus_um=(6.0, 22.0),
        red_gain=(0.97, 1.05),
        blue_gain=(0.92, 1.06),
        exposure=(0.95, 1.12),
        vignette=(0.05, 0.2),
        haze=(0.1, 0.6),
        glint=(0.0, 0.25),
        noise=(0.002, 0.007),
        sharpening=(0.0, 0.4),
        glare_blobs=2,
        bubbles=3,
        overlays=OverlayPriors(overlay_chance=0.0),
    )
