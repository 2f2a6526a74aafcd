"""A reading (`trichotrack.reading/1`): what was counted in one capture, by a model or a person."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from trichotrack.capture import Quality
from trichotrack.geometry import Scale
from trichotrack.problems import InputError

SCHEMA = "trichotrack.reading/1"


@dataclass(frozen=True)
class SignReading:
    """One sign in one capture. status `refused` carries a reason a person understands, and no numbers.

    presence: 1 − Π(1 − score) over the marks counted; where the model learnt presences, over the weaker ones too, as
    its training did.
    """

    status: Literal["counted", "refused"]
    reason: str | None = None
    count: int | None = None
    estimate: float | None = None
    reader_interval: tuple[float, float] | None = None
    density_per_cm2: float | None = None
    presence: float | None = None


@dataclass(frozen=True)
class MarkedObject:
    """One structure: x, y (root, or centre of a dot) in original px; widths in µm."""

    id: str
    sign: str
    x: float
    y: float
    tip_x: float | None = None
    tip_y: float | None = None
    root_width_um: float | None = None
    tip_width_um: float | None = None
    score: float | None = None


@dataclass(frozen=True)
class ModelRef:
    """Which model read it. validated: on people's captures; notice: what must be said of it on every figure.

    figures: where it is validated, by sign its `recall` and `false_positives_per_cm2`, each with its standard error
    (`recall_se`, `false_positives_per_cm2_se`), so that a reading can be judged without the model's file.
    """

    name: str
    sha256: str
    spec: int
    validated: bool = False
    notice: str = ""
    figures: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Reading:
    """What was counted in one capture. Points are pixels of the original image, upright as EXIF says.

    area_cm2: of the scalp in the picture. scalp_share: of the picture, 0 to 1; None where the model does not tell it,
    and area_cm2 is that of the whole picture.
    """

    file: str
    sha256: str
    width: int
    height: int
    scale: Scale | None
    area_cm2: float | None
    quality: Quality
    author: str
    software: str
    signs: Mapping[str, SignReading]
    objects: tuple[MarkedObject, ...] = ()
    model: ModelRef | None = None
    corrects: str | None = None
    warnings: tuple[str, ...] = field(default=())
    scalp_share: float | None = None

    def to_dict(self) -> dict[str, Any]:
        raw = asdict(self)
        return {"schema": SCHEMA, **raw}

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Reading:
        """Raises InputError where text is not a reading of this schema."""
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise InputError(f"not a reading: {error}.") from None
        if not isinstance(raw, dict) or raw.pop("schema", None) != SCHEMA:
            raise InputError(f"not a reading: its schema is not {SCHEMA!r}.")
        try:
            raw["scale"] = Scale(**raw["scale"]) if raw["scale"] else None
            raw["quality"] = Quality(raw["quality"]["ok"], tuple(raw["quality"]["flags"]))
            raw["model"] = ModelRef(**raw["model"]) if raw["model"] else None
            raw["signs"] = {name: _sign_reading(value) for name, value in raw["signs"].items()}
            raw["objects"] = tuple(MarkedObject(**value) for value in raw["objects"])
            raw["warnings"] = tuple(raw.get("warnings", ()))
            return cls(**raw)
        except (TypeError, KeyError, AttributeError) as error:
            raise InputError(f"not a complete reading: {error}.") from None


def _sign_reading(raw: dict[str, Any]) -> SignReading:
    interval = raw.get("reader_interval")
    return SignReading(**{**raw, "reader_interval": tuple(interval) if interval else None})
