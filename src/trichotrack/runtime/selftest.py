"""A model's own test: an image and the detections expected in it travel in the file and are run again anywhere."""

from __future__ import annotations

import base64
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trichotrack.detect.detections import Detections
from trichotrack.detect.matching import match
from trichotrack.problems import InputError
from trichotrack.runtime.model_file import SELFTEST_KEY
from trichotrack.runtime.spec import ModelSpec

if TYPE_CHECKING:
    from trichotrack.runtime.counter import Counter

TOLERANCE_PX = 0.5
TOLERANCE_SCORE = 0.005
"""Processors round differently: by some 1e-5 in a score. More than these is another network."""


@dataclass(frozen=True)
class Difference:
    """One detection that is not as expected: where (canonical px), which sign, and in what."""

    sign: str
    x: float
    y: float
    what: str

    def __str__(self) -> str:
        return f"{self.sign} at ({self.x:.1f}, {self.y:.1f}): {self.what}"


@dataclass(frozen=True)
class SelfTestResult:
    """expected and found: numbers of detections. differences: those beyond the tolerances; none where it passed."""

    expected: int
    found: int
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        return not self.differences

    def __str__(self) -> str:
        head = f"{self.expected} detections expected, {self.found} found"
        if self.passed:
            return f"{head}: all the same."
        return f"{head}, {len(self.differences)} differ: " + "; ".join(map(str, self.differences[:20])) + "."


def make_selftest(
    spec: ModelSpec,
    image: NDArray[np.uint8],
    detections: Detections,
    *,
    tolerance_px: float = TOLERANCE_PX,
    tolerance_score: float = TOLERANCE_SCORE,
) -> str:
    """The JSON for metadata_props["trichotrack.selftest"].

    image: uint8 (H, W, 3) at the canonical scale. detections: what `Counter.detect` must give for it, canonical px.
    Raises InputError where there is no detection: such a test could not fail.
    """
    if not len(detections):
        raise InputError("a self-test needs an image in which the model finds something; none was found.")
    png = io.BytesIO()
    Image.fromarray(image).save(png, "PNG", optimize=True)
    expected = [
        {"x": round(float(x), 3), "y": round(float(y), 3), "sign": spec.sign_names[sign], "score": round(score, 6)}
        for (x, y), sign, score in zip(detections.xy, detections.sign, detections.score.tolist(), strict=True)
    ]
    test = {
        "image_png_base64": base64.b64encode(png.getvalue()).decode("ascii"),
        "detections": expected,
        "tolerance_px": tolerance_px,
        "tolerance_score": tolerance_score,
    }
    return json.dumps(test)


def run_selftest(counter: Counter) -> SelfTestResult:
    """Reads the model's own image and compares. Raises InputError where the model carries no usable self-test."""
    image, expected, tolerance_px, tolerance_score = _read(counter)
    return compare_detections(
        counter.spec, expected, counter.detect(image), tolerance_px=tolerance_px, tolerance_score=tolerance_score
    )


def compare_detections(
    spec: ModelSpec,
    expected: Detections,
    found: Detections,
    *,
    tolerance_px: float = TOLERANCE_PX,
    tolerance_score: float = TOLERANCE_SCORE,
) -> SelfTestResult:
    """How found differs from expected, sign by sign, matched one to one.

    A detection within tolerance_score of its threshold may be missing or new: rounding alone can decide it.
    """
    differences: list[Difference] = []
    # Under half the least distance of two marks of a sign no match is contested, and the core does without scipy.
    reach_px = max(tolerance_px, min(10 * tolerance_px, 0.49 * spec.suppression_px))
    for channel, sign in enumerate(spec.signs):
        ours, theirs = expected.take(expected.sign == channel), found.take(found.sign == channel)
        pairs = match(ours.xy, theirs.xy, reach_px)
        name = sign.sign.name
        for i, j in pairs:
            moved = float(np.hypot(*(ours.xy[i] - theirs.xy[j])))
            change = float(theirs.score[j] - ours.score[i])
            if moved > tolerance_px:
                differences.append(_difference(name, ours.xy[i], f"found {moved:.2f} px away"))
            if abs(change) > tolerance_score:
                differences.append(_difference(name, ours.xy[i], f"score {change:+.4f}"))
        for what, detections, matched in (("missing", ours, pairs[:, 0]), ("not expected", theirs, pairs[:, 1])):
            for i in np.setdiff1d(np.arange(len(detections)), matched):
                score = float(detections.score[i])
                if score - sign.threshold > tolerance_score:
                    differences.append(_difference(name, detections.xy[i], f"{what}, score {score:.4f}"))
    return SelfTestResult(len(expected), len(found), tuple(differences))


def _difference(name: str, xy: NDArray[np.float64], what: str) -> Difference:
    return Difference(name, float(xy[0]), float(xy[1]), what)


def _read(counter: Counter) -> tuple[NDArray[np.uint8], Detections, float, float]:
    text = counter.model_file.metadata.get(SELFTEST_KEY)
    if text is None:
        raise counter.model_file.refused("carries no self-test")
    names = list(counter.spec.sign_names)
    try:
        raw = json.loads(text)
        data = base64.b64decode(raw["image_png_base64"], validate=True)
        with Image.open(io.BytesIO(data), formats=("PNG",)) as png:
            image = np.array(png.convert("RGB"))
        rows = raw["detections"]
        expected = Detections(
            np.array([[row["x"], row["y"]] for row in rows], np.float64).reshape(-1, 2),
            np.array([names.index(row["sign"]) for row in rows], np.int64),
            np.array([row["score"] for row in rows], np.float64),
        )
        return image, expected, float(raw["tolerance_px"]), float(raw["tolerance_score"])
    except Exception as error:  # noqa: BLE001 (a damaged test may fail in JSON, base64, PNG or in its rows)
        raise counter.model_file.refused(f"carries a damaged self-test ({type(error).__name__})") from None
