"""ModelSpec: what an exported model says of itself, kept as JSON inside the ONNX file.

A model without a valid spec is refused: without signs, scale and thresholds its numbers mean nothing.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from trichotrack.problems import InputError
from trichotrack.signs import Sign, counted_as

SPEC_VERSION = 1

MEASURES = ("tip", "width")
"""What a `shaft` output may be trained to tell of a hair; a reading has only what the training labels had."""

OUTPUTS = ("peaks", "offset", "shaft", "scalp", "features")
"""Heads that a graph may have: see ModelSpec.outputs."""

SEEN_DIGITS = 16
"""Of the SHA-256 of a capture's file: enough to tell a million captures apart, and nothing to know a picture by."""

MIN_RECALL = 0.5
"""A sign of which the model surely misses more than this share is refused: such counts mislead."""

METADATA_KEY = "trichotrack"
INTENDED_USE = (
    "Research and monitoring of alopecia areata signs in scalp dermoscopy. Not a medical device: it does not diagnose "
    "and does not advise on treatment."
)


@dataclass(frozen=True)
class OnClipped:
    """What a channel has of its own on clipped scalps, of whatever is counted as its sign there (see SignSpec)."""

    threshold: float
    recall: float | None = None
    recall_se: float | None = None
    false_positives_per_cm2: float | None = None
    false_positives_per_cm2_se: float | None = None


@dataclass(frozen=True)
class SignSpec:
    """One output channel.

    threshold: score above which a peak is counted. recall and false_positives_per_cm2, with their standard errors:
    at that threshold, on the validation data named in the spec; None where not measured. clipped: the same on clipped
    scalps; None where none were in that data: then the threshold is this one, and what looks like another sign has that
    sign's to clear too.
    """

    sign: Sign
    threshold: float
    recall: float | None = None
    recall_se: float | None = None
    false_positives_per_cm2: float | None = None
    false_positives_per_cm2_se: float | None = None
    clipped: OnClipped | None = None

    def faults(self) -> list[str]:
        faults = []
        if not 0 < self.threshold < 1:
            faults.append(f"threshold {self.threshold} of {self.sign.name} is not between 0 and 1")
        if self.recall is not None and not 0 <= self.recall <= 1:
            faults.append(f"recall {self.recall} of {self.sign.name} is not between 0 and 1")
        if self.false_positives_per_cm2 is not None and not 0 <= self.false_positives_per_cm2 < math.inf:
            faults.append(f"{self.false_positives_per_cm2} false positives per cm² of {self.sign.name}")
        clipped = [] if self.clipped is None else self.on("clipped").faults()
        return faults + [f"{fault}, on clipped scalps" for fault in clipped]

    def on(self, preparation: str) -> SignSpec:
        """The channel as it is on a scalp so prepared."""
        if preparation != "clipped" or self.clipped is None:
            return self
        return replace(self, **asdict(self.clipped), clipped=None)

    def thresholds_times(self, share: float) -> SignSpec:
        """The same channel with lower thresholds."""
        clipped = None if self.clipped is None else replace(self.clipped, threshold=self.clipped.threshold * share)
        return replace(self, threshold=self.threshold * share, clipped=clipped)

    @property
    def figures(self) -> dict[str, float]:
        """Recall and false positives per cm² with their standard errors, by name; empty unless all were measured."""
        names = ("recall", "recall_se", "false_positives_per_cm2", "false_positives_per_cm2_se")
        found = {name: value for name in names if (value := getattr(self, name)) is not None}
        return found if len(found) == len(names) else {}

    @property
    def missed(self) -> str | None:
        """Why this channel's counts mislead, where validation showed that more than half are missed; else None.

        Shown: recall lies two standard errors below a half, so that a small validation set refuses nothing by chance.
        """
        if self.recall is None or self.recall + 2 * (self.recall_se or 0.0) >= MIN_RECALL:
            return None
        return f"the model found only {self.recall:.0%} of the {self.sign.plural} of its validation captures"


@dataclass(frozen=True)
class ModelSpec:
    """Everything the runtime needs to read a capture as the model was trained to.

    um_per_px: canonical scale (None: trained without scales; images are resampled to long_side_px). stride: output
    cell in canonical px. total_stride: H and W are multiples of it. halo_px: context a tile needs on each side, a
    multiple of total_stride. min_distance_um: two marks nearer than this are one structure (a model trained without
    scales has min_distance_px instead, canonical px). outputs: heads in the graph, of OUTPUTS, `peaks` first;
    `scalp` is the probability that a cell shows scalp that can be judged, `features` what the heads are computed from.
    trained_on_synthesis: on drawn scalps alone, and so was whatever it started from (but for general pictures).
    tolerance_mm, ignored: what it was trained to be judged by: how near a mark must be (a model trained without scales
    has tolerance_px instead, canonical px), and signs on which a mark is neither right nor wrong. training: how it was
    made, for people to look up.
    training_um_per_px: range of the scales of the captures it was trained for. measures: which of MEASURES the shaft
    output was trained to tell. validated_on_people: name of the reviewed clinical data it was validated on, None when
    none: then no verdict may rest on unreviewed readings.
    """

    name: str
    signs: tuple[SignSpec, ...]
    um_per_px: float | None
    stride: int
    total_stride: int
    halo_px: int
    pad_value: int
    min_distance_um: float | None
    outputs: tuple[str, ...]
    trained_on: str
    validated_on: str
    validated_on_people: str | None = None
    long_side_px: int | None = None
    min_distance_px: float | None = None
    vellus_cutoff_um: float = 30.0
    measures: tuple[str, ...] = MEASURES
    training_um_per_px: tuple[float, float] | None = None
    trained_on_synthesis: bool = False
    tolerance_mm: float | None = None
    tolerance_px: float | None = None
    ignored: tuple[str, ...] = ()
    data_sha256: str = ""
    code_version: str = ""
    licence: str = ""
    intended_use: str = INTENDED_USE
    notes: str = ""
    spec: int = SPEC_VERSION
    training: dict[str, Any] = field(default_factory=dict)

    @property
    def sign_names(self) -> tuple[str, ...]:
        return tuple(channel.sign.name for channel in self.signs)

    def thresholds(self, preparation: str) -> list[float]:
        """Score of each channel above which a peak is counted on a scalp so prepared; infinite where none is."""
        chosen = []
        becomes = counted_as([channel.sign for channel in self.signs], preparation)
        for channel, sign in zip(self.signs, becomes, strict=True):
            if sign is None:
                chosen.append(math.inf)
                continue
            counted = self.signs[sign]
            there = counted.on(preparation)
            chosen.append(max(channel.threshold, counted.threshold) if there is counted else there.threshold)
        return chosen

    @property
    def suppression_px(self) -> float:
        """Marks nearer than this are one structure: canonical px."""
        if self.um_per_px is not None and self.min_distance_um is not None:
            return self.min_distance_um / self.um_per_px
        return self.min_distance_px or 0.0

    @property
    def notice(self) -> str:
        """What must be said beside every figure of this model; "" where it is validated on people's captures."""
        if self.validated_on_people:
            return ""
        trained_on = "synthetic scalps alone" if self.trained_on_synthesis else self.trained_on
        return f"Model {self.name}: trained on {trained_on}; not validated on patients."

    @property
    def recipe_sha256(self) -> str:
        """Of the recipe it was trained by (see evaluate.provenance); "" where unknown."""
        recipe = self.training.get("recipe")
        return str(recipe.get("sha256", "")) if isinstance(recipe, dict) else ""

    @property
    def seen(self) -> dict[str, str] | None:
        """By the first SEEN_DIGITS of a file's SHA-256: "train" where it taught the model, "val" where it chose it.

        None where the model does not tell.
        """
        told = self.training.get("captures")
        if not isinstance(told, dict):
            return None
        # A capture that did both, the one for the weights that it started from, taught it.
        return {str(digest): split for split in ("val", "train") for digest in told.get(split) or ()}

    @property
    def seen_wholly(self) -> bool:
        """Whether `seen` names what taught and chose the weights that it started from, too."""
        told = self.training.get("captures")
        return isinstance(told, dict) and bool(told.get("complete"))

    @property
    def presence_learnt(self) -> frozenset[str]:
        """Signs whose presence its training measured, so that their scores were brought to chances."""
        validated = self.training.get("validated")
        told = validated if isinstance(validated, dict) else {}
        return frozenset(name for name, sign in told.items() if isinstance(sign, dict) and sign.get("presence"))

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> ModelSpec:
        """Raises InputError where text is not a spec that this version reads."""
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"the model's trichotrack metadata is not JSON ({error}).") from None
        if not isinstance(raw, dict) or raw.get("spec") != SPEC_VERSION:
            got = raw.get("spec") if isinstance(raw, dict) else type(raw).__name__
            raise InputError(f"the model has spec version {got!r}; this trichotrack reads {SPEC_VERSION}.")
        try:
            raw["signs"] = tuple(map(_sign_spec, raw["signs"]))
            raw["outputs"] = tuple(raw["outputs"])
            raw["measures"] = tuple(raw.get("measures", MEASURES))
            raw["ignored"] = tuple(raw.get("ignored", ()))
            if raw.get("training_um_per_px"):
                raw["training_um_per_px"] = tuple(raw["training_um_per_px"])
            spec = cls(**raw)
            faults = spec.faults()
        except (TypeError, KeyError, ValueError, AttributeError) as error:
            raise InputError(f"the model's trichotrack metadata is incomplete ({error}); export it again.") from None
        if faults:
            raise InputError(f"the model's trichotrack metadata cannot be used: {'; '.join(faults)}.")
        return spec

    def faults(self) -> list[str]:
        """What keeps a capture from being read by this spec; nothing where it is sound."""
        faults = []
        if not self.signs:
            faults.append("no signs")
        if len(set(self.sign_names)) < len(self.signs):
            faults.append("a sign twice")
        if self.outputs[:1] != ("peaks",):
            faults.append(f"outputs {self.outputs} do not begin with 'peaks'")
        if unknown := set(self.outputs) - set(OUTPUTS):
            faults.append(f"unknown outputs {', '.join(sorted(unknown))}")
        if self.um_per_px is None and (self.long_side_px is None or self.min_distance_px is None):
            faults.append("neither um_per_px nor both of long_side_px and min_distance_px")
        if self.um_per_px is not None and self.min_distance_um is None:
            faults.append("no min_distance_um")
        if min(self.stride, self.total_stride) < 1 or self.total_stride % self.stride:
            faults.append(f"total stride {self.total_stride} is not a multiple of stride {self.stride}")
        if self.halo_px < 0 or self.halo_px % max(self.total_stride, 1):
            faults.append(f"halo {self.halo_px} px is not a multiple of the total stride {self.total_stride}")
        if not 0 <= self.pad_value <= 255:
            faults.append(f"pad value {self.pad_value} is not between 0 and 255")
        for name in ("um_per_px", "min_distance_um", "long_side_px", "min_distance_px", "tolerance_mm", "tolerance_px"):
            value = getattr(self, name)
            if value is not None and not 0 < value < math.inf:
                faults.append(f"{name} {value} is not a positive number")
        return faults + [fault for channel in self.signs for fault in channel.faults()]


def _sign_spec(raw: dict[str, Any]) -> SignSpec:
    clipped = raw.get("clipped")
    return SignSpec(**{**raw, "sign": _sign(raw["sign"]), "clipped": None if clipped is None else OnClipped(**clipped)})


def _sign(raw: dict[str, Any]) -> Sign:
    values = dict(raw)
    for key in ("width_um", "colour"):
        if values.get(key) is not None:
            values[key] = tuple(values[key])
    return Sign(**values)
