"""From the fingerprint of a set to a recipe for its training: few values, each with the reason for it, to be edited."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trichotrack.labels.enough import readers_alone
from trichotrack.labels.fingerprint import Fingerprint, SignPrint, short
from trichotrack.labels.tables import LabelSet
from trichotrack.problems import InputError
from trichotrack.signs import SIGN, Sign

CELL_PX = 4
"""Canonical px a cell of the network's output."""

KNOWN_UM_PER_PX = 6.0
"""The scale at which the bundled weights were taught: they know hairs at that size."""

FINEST_UM_PER_PX = 4.0
"""A pass costs with the square of the fineness; at 4 µm per px it is 2.25 times that at 6."""

SIGMA_CELLS = (1.0, 1.25)
"""Width of the Gaussian around a root: below a cell a peak falls between cells; 1.25 is what the recipes reached their
figures with."""

MIN_CELLS_APART = 2.0
"""Two peaks need a cell between them."""

DEFAULT_TOLERANCE_MM, DEFAULT_DISTANCE_UM = 0.15, 60.0

USUAL_LONG_SIDE_PX, LEAST_LONG_SIDE_PX, MOST_LONG_SIDE_PX = 1024, 256, 2048
"""Without a scale: between 20x, where that is about 11 µm per px, and 70x, where it is 3.5; and how far from it."""

DEFAULT_TOLERANCE_PX, DEFAULT_DISTANCE_PX = 16.0, 8.0

JITTER, JITTER_WITHOUT_SCALE = 0.1, 0.25

TOLERANCE_SHARE = 2 / 3
"""Of the median distance of neighbours: on hair-follicles-70x that is the 0.113 mm at which its readers agree."""

CROP_PX, LEAST_CROP_PX, STEP_PX = 416, 192, 16
"""The recipes' crop; captures are seldom larger at 6 µm per px. Sides are multiples of the total stride."""

FEW = 50
"""Captures to train on, below which configs/few.yaml is the better start."""

IGNORED = ("intermediate_hair",)
"""Hair of 30 to 55 µm, neither vellus nor terminal: neither right nor wrong."""

MARKED = frozenset({"exhaustive", "partial"})
"""Levels that a training learns places from."""


Told = tuple[Any, str]
"""A value and its reason."""


WHY_NO_SCALE = (
    "No capture has a scale, so the model goes by none: it counts per capture, tells no density, width or length, and "
    "its counts are never compared with those of a model that goes by scale. For such a model fill in um_per_px in "
    "captures.csv, and describe the set again."
)


@dataclass(frozen=True)
class Setting:
    """One value of a recipe. path: its keys, from the outermost. why: the reason, for the line above it."""

    path: tuple[str, ...]
    value: Any
    why: str


def recipe(found: Fingerprint, labelset: LabelSet, labels: str, name: str) -> list[Setting]:
    """What the set suggests, in the order of a recipe.

    found, labelset: of the set with parents. labels: its folder as a training is to be given it. name: of the data.
    Where no capture has a scale, it is a plan without one. Raises InputError where nothing is marked.
    """
    known = {label.sign for label in labelset.labels if not label.rater and label.level in MARKED}
    sought = [one for one in _in_order(found, labelset.signs) if one.objects and one.sign in known]
    named = {one.sign for one in sought if one.sign not in IGNORED}
    rivals = {
        sign.parent for name in named
        if (sign := labelset.signs[name]).parent in named
        and sign.group is not None and sign.group == labelset.signs[sign.parent].group
    }  # fmt: skip
    signs = [one for one in sought if one.sign in named - rivals]
    if not signs:
        if alone := readers_alone(labelset.labels):
            raise InputError(alone)
        raise InputError("no sign is marked in any capture: a plan for places needs exhaustive or partial labels.")
    native = _native(found)
    if native is None:
        measures, (crop, why_crop) = _measures_in_px(found)
    else:
        measures, (crop, why_crop) = _measures_in_um(found, native, labelset, [labelset.signs[s.sign] for s in signs])
    train = _to_train_on(labelset)
    ignored = [one.sign for one in sought if one.sign in IGNORED]
    return [
        Setting(("model", "plan", "signs"), [one.sign for one in signs], _why_signs(found, known, signs, rivals)),
        Setting(
            ("model", "plan", "ignore"),
            ignored,
            ("Of even calibre between vellus and terminal. " if ignored else "")
            + "Signs named here are neither right nor wrong: move those to it that readers would not agree on.",
        ),
        *(Setting(("model", "plan", name), *told) for name, told in measures.items()),
        Setting(("data", "class_path"), "SignData", ""),
        Setting(("data", "init_args", "labels"), labels, "Seen from where the training is started."),
        Setting(("data", "init_args", "name"), name, "What figures and the exported model call these data."),
        Setting(("data", "init_args", "crop_px"), crop, why_crop),
        Setting(("data", "init_args", "batch_size"), min(8, max(1, train)), f"Of {train} captures to train on."),
        Setting(("data", "init_args", "scale_jitter"), *_jitter(found, calibrated=native is not None)),
        Setting(("trainer", "default_root_dir"), f"runs/{name}", "Where runs go; each has a folder of its own."),
    ]


def base_config(labelset: LabelSet) -> str:
    """The config that the plan goes on top of: by how many captures there are to train on."""
    return "configs/few.yaml" if _to_train_on(labelset) < FEW else "configs/more.yaml"


def _to_train_on(labelset: LabelSet) -> int:
    return sum(row.split == "train" for row in labelset.captures) or round(0.8 * len(labelset.captures))


def _in_order(found: Fingerprint, signs: Mapping[str, Sign]) -> list[SignPrint]:
    """Signs of the vocabulary first, then parents, then the others, each in the order they are declared."""
    parents = {sign.parent for sign in signs.values()}
    return sorted(
        found.signs, key=lambda one: (one.sign not in SIGN, one.sign not in parents, list(signs).index(one.sign))
    )


def _native(found: Fingerprint) -> tuple[float, float, float] | None:
    """(finest, usual, coarsest) µm per px of the devices' medians, the usual one by captures."""
    scales = sorted((device.um_per_px.middle, device.captures) for device in found.devices if device.um_per_px)
    if not scales:
        return None
    half, seen = sum(captures for _, captures in scales) / 2, 0
    for um, captures in scales:
        seen += captures
        if seen >= half:
            return scales[0][0], um, scales[-1][0]
    return scales[0][0], scales[-1][0], scales[-1][0]


def _working_scale(found: Fingerprint, native: tuple[float, float, float], signs: Sequence[Sign]) -> tuple[float, str]:
    """The canonical µm per px, and why."""
    wanted, reasons = KNOWN_UM_PER_PX, [f"{KNOWN_UM_PER_PX:g} is the scale that the bundled weights know"]
    if found.crowding_um:
        apart = found.crowding_um.low
        limit = apart / (MIN_CELLS_APART * CELL_PX)
        reasons.append(
            f"the nearest 5 % of roots are {apart:.0f} µm apart or less, so that peaks stay two at up to {limit:.1f}"
        )
        wanted = min(wanted, limit)
    for sign in signs:
        if sign.reference_um and sign.min_px:
            limit = sign.reference_um / sign.min_px
            reasons.append(f"a {sign.label} of {sign.reference_um:g} µm needs {limit:.1f} or finer")
            wanted = min(wanted, limit)
    floor = max(FINEST_UM_PER_PX, native[1])
    um = max(floor, wanted)
    um = math.ceil(um * 2) / 2 if um > KNOWN_UM_PER_PX else math.floor(um * 2) / 2
    if um > wanted:
        reasons.append(
            f"finer than {um:g} shows nothing more, as the captures have {native[1]:.3g}"
            if native[1] > FINEST_UM_PER_PX
            else f"finer than {um:g} takes long"
        )
    scales = f"{native[0]:.3g} to {native[2]:.3g}" if native[0] != native[2] else f"{native[1]:.3g}"
    return um, f"µm per px at which the network sees. The captures have {scales}; {'; '.join(reasons)}."


def _measures_in_um(
    found: Fingerprint, native: tuple[float, float, float], labelset: LabelSet, signs: Sequence[Sign]
) -> tuple[dict[str, Told], Told]:
    """The measures of a plan with a scale, by name, and the crop, each with its reason."""
    um, why = _working_scale(found, native, signs)
    lacking = sum(row.um_per_px is None for row in labelset.captures)
    if lacking:
        why += (
            f" {lacking} of {found.captures} captures have none, and this plan refuses them: give it to them, or take "
            "them out of the splits."
        )
    cell = CELL_PX * um
    measures = {
        "um_per_px": (um, why),
        "sigma_um": _sigma(found, cell),
        "min_distance_um": _distance(found, cell),
        "tolerance_mm": _tolerance(found),
    }
    return measures, _crop(found, um, labelset.signs)


def _measures_in_px(found: Fingerprint) -> tuple[dict[str, Told], Told]:
    """The same without a scale: in px of images that are all brought to one long side."""
    long_side, why = _long_side(found)
    apart = found.crowding_share
    low, middle = (apart.low * long_side, apart.middle * long_side) if apart else (math.inf, math.inf)
    least, usual = (cells * CELL_PX for cells in SIGMA_CELLS)
    closer = f"the nearest 5 % of roots are {short(low)} px apart or less"
    sigma, why_sigma = usual, f"Of the hill around a root: {SIGMA_CELLS[1]:g} cells of {CELL_PX} px"
    if low / 2 < usual:
        sigma = max(least, low / 2)
        why_sigma += f", less as {closer}"
    distance, why_distance = DEFAULT_DISTANCE_PX, "Marks nearer than this are one structure."
    if 0.75 * low < distance:
        distance = max(1.5 * CELL_PX, 0.75 * low)
        why_distance += f" Less than the usual {DEFAULT_DISTANCE_PX:g}, as {closer}."
    tolerance = max(float(CELL_PX), min(DEFAULT_TOLERANCE_PX, middle * TOLERANCE_SHARE))
    why_tolerance = (
        "How near a mark must be to a label to be right, in images of that long side. Nobody knows how far that is on "
        "the scalp: figures compare only within this set."
    )
    if tolerance < DEFAULT_TOLERANCE_PX:
        why_tolerance += f" Two thirds of the median distance of neighbours; the usual one is {DEFAULT_TOLERANCE_PX:g}."
    measures: dict[str, Told] = {
        "um_per_px": (None, WHY_NO_SCALE),
        "long_side_px": (long_side, why),
        "sigma_px": (round(sigma, 1), f"{why_sigma}."),
        "min_distance_px": (round(distance, 1), why_distance),
        "tolerance_px": (round(tolerance, 1), why_tolerance),
    }
    return measures, _crop_in_px(found, long_side)


def _long_side(found: Fingerprint) -> tuple[int, str]:
    """What the long side of every image is brought to, and why."""
    wanted = float(USUAL_LONG_SIDE_PX)
    reasons = [f"{USUAL_LONG_SIDE_PX} is the usual one; at 70x, 640 shows enough, and takes less than half the time"]
    if found.crowding_share and found.crowding_share.low > 0:
        needed = MIN_CELLS_APART * CELL_PX / found.crowding_share.low
        if needed > wanted:
            wanted = min(needed, MOST_LONG_SIDE_PX)
            far = f", beyond the {MOST_LONG_SIDE_PX} that are proposed at most" if needed > wanted else ""
            share = short(100 * found.crowding_share.low)
            reasons.append(
                f"the nearest 5 % of roots are {share} % of it apart or less: two peaks need {needed:.0f} px{far}"
            )
    told = "the sizes of these captures are not known"
    if found.long_side_px:
        own = found.long_side_px.middle
        told = f"that of the captures is {own:g} in the median"
        if own < wanted:
            wanted = own
            reasons.append("larger than the captures are shows nothing more")
    side = max(LEAST_LONG_SIDE_PX, round(wanted / STEP_PX) * STEP_PX)
    return side, f"Every image is resampled to this long side, in px: {told}; {'; '.join(reasons)}."


def _crop_in_px(found: Fingerprint, long_side: int) -> tuple[int, str]:
    """Side of a training crop, and why."""
    sizes = [tuple(map(int, size.split("x"))) for device in found.devices for size in device.sizes]
    if not sizes:
        return CROP_PX, "The recipes' usual crop; the sizes of these captures are not known."
    side = min(min(size) * long_side / max(size) for size in sizes)
    crop = int(min(CROP_PX, max(LEAST_CROP_PX, side // STEP_PX * STEP_PX)))
    return crop, f"The short side of a capture is {side:.0f} px then, or more; {CROP_PX} is the recipes' usual crop."


def _sigma(found: Fingerprint, cell: float) -> tuple[float, str]:
    least, usual = (cells * cell for cells in SIGMA_CELLS)
    value, why = usual, f"Of the hill around a root: {SIGMA_CELLS[1]:g} cells of {cell:g} µm"
    if found.crowding_um and found.crowding_um.low / 2 < usual:
        value = max(least, found.crowding_um.low / 2)
        why += ", less where roots stand closer, so that two hills keep a valley between them"
    return float(round(value)), why + "."


def _distance(found: Fingerprint, cell: float) -> tuple[float, str]:
    least = 1.5 * cell
    value, why = max(DEFAULT_DISTANCE_UM, least), "Marks nearer than this are one structure."
    if found.crowding_um and 0.75 * found.crowding_um.low < value:
        value = max(least, 0.75 * found.crowding_um.low)
        why += (
            f" Labelled roots stand {found.crowding_um.low:.0f} µm apart or less in 5 % of cases: a larger value would "
            "strike right marks out."
        )
    return float(round(value)), why


def _tolerance(found: Fingerprint) -> tuple[float, str]:
    value = DEFAULT_TOLERANCE_MM
    if found.crowding_um:
        value = max(0.05, round(min(value, found.crowding_um.middle * TOLERANCE_SHARE / 1000), 3))
    why = "How near a mark must be to a label to be right; figures are told with it, and compare only at the same."
    if value < DEFAULT_TOLERANCE_MM:
        why += f" Two thirds of the median distance of neighbours; the usual one is {DEFAULT_TOLERANCE_MM:g}."
    return value, why


def _crop(found: Fingerprint, um: float, signs: Mapping[str, Sign]) -> tuple[int, str]:
    """Side of a training crop, and why."""
    short = []
    for device in found.devices:
        if device.um_per_px and device.sizes:
            width, height = map(int, next(iter(device.sizes)).split("x"))
            short.append(min(width, height) * device.um_per_px.middle / um)
    if not short:
        return CROP_PX, "The recipes' usual crop; the sizes of these captures are not known."
    side = min(short)
    crop = int(min(CROP_PX, max(LEAST_CROP_PX, side // STEP_PX * STEP_PX)))
    parents = {sign.parent for sign in signs.values()}
    density = sum(one.per_cm2 or 0 for one in found.signs if one.sign not in parents)
    return crop, (
        f"{crop * um / 1000:.1f} mm a side; the short side of a capture is {side:.0f} px at this scale"
        f"{f', and such a crop has about {density * (crop * um / 1e4) ** 2:.0f} marked structures' if density else ''}."
    )


def _why_signs(found: Fingerprint, known: set[str], signs: Sequence[SignPrint], rivals: Collection[str | None]) -> str:
    why = "Marked, with examples: " + ", ".join(f"{one.sign} {one.objects} in {one.patients} patients" for one in signs)
    rest = [one for one in found.signs if one.sign not in {sign.sign for sign in signs} and one.sign not in IGNORED]
    empty = [one.sign for one in rest if one.sign in known and one.sign not in rivals]
    whole = [one.sign for one in rest if one.sign not in known]
    if empty:
        why += f". Labelled, and in no capture there: {', '.join(empty)}"
    if whole:
        why += f". By count or presence alone, so that nothing teaches where they are: {', '.join(whole)}"
    if rivals:
        why += f". Of {', '.join(sorted(map(str, rivals)))} the kinds are sought, and evaluate adds them up"
    return why + "."


def _jitter(found: Fingerprint, *, calibrated: bool) -> tuple[float, str]:
    if not calibrated:
        return JITTER_WITHOUT_SCALE, (
            "Crops are made up to a quarter larger or smaller: how far one capture was zoomed in against another is "
            "not known. Where all are of one device at one step, 0.1 will do."
        )
    devices = len(found.devices)
    told = f"{devices} devices" if devices > 1 else "one device"
    return (
        JITTER,
        f"Crops are made up to 10 % larger or smaller: a scale is seldom known better, and {told} is all there is.",
    )


def recipe_text(settings: Sequence[Setting], *, base: str, file: str, name: str) -> str:
    """The recipe as YAML with its reasons. base: the config that it goes on top of. file: what it will be called."""
    import yaml

    lines = [
        f"# What the labels of {name} suggest for a training. Edit it: every value is a proposal, its reason above it.",
        f"#   uv run train.py fit --config {base} --config {file}",
        "# What is not here is taken from the first config. The exported model carries the plan.",
    ]
    open_keys: tuple[str, ...] = ()
    for setting in settings:
        *parents, key = setting.path
        shared = 0
        while shared < min(len(open_keys), len(parents)) and open_keys[shared] == parents[shared]:
            shared += 1
        lines += [f"{'  ' * depth}{parents[depth]}:" for depth in range(shared, len(parents))]
        open_keys = tuple(parents)
        indent = "  " * len(parents)
        lines += textwrap.wrap(
            setting.why, 110, initial_indent=f"{indent}# ", subsequent_indent=f"{indent}# ", break_on_hyphens=False
        )
        value = yaml.safe_dump(setting.value, default_flow_style=True, allow_unicode=True, width=10_000)
        lines.append(f"{indent}{key}: {value.removesuffix(chr(10)).removesuffix('...').strip(f' {chr(10)}')}")
    return "\n".join(lines) + "\n"


def as_mapping(settings: Sequence[Setting]) -> dict[str, Any]:
    """The recipe as nested values, as YAML reads its text."""
    nested: dict[str, Any] = {}
    for setting in settings:
        inner = nested
        for key in setting.path[:-1]:
            inner = inner.setdefault(key, {})
        inner[setting.path[-1]] = setting.value
    return nested
