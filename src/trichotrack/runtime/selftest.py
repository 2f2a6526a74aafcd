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

TIE_SCORE = 1e-4
"""Two rivals for one structure whose scores are this near to each other: rounding alone decides which of them stays."""


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

    A detection within tolerance_score of its threshold may be missing or new, and of two rivals within TIE_SCORE
    either may stay: rounding alone can decide it.
    """
    differences: list[Difference] = []
    missing: list[int] = []
    new: list[int] = []
    # Under half the least distance of two marks of a sign no match is contested, and the core does without scipy.
    reach_px = max(tolerance_px, min(10 * tolerance_px, 0.49 * spec.suppression_px))
    for channel, sign in enumerate(spec.signs):
        own = np.flatnonzero(expected.sign == channel), np.flatnonzero(found.sign == channel)
        ours, theirs = expected.take(own[0]), found.take(own[1])
        pairs = match(ours.xy, theirs.xy, reach_px)
        name = sign.sign.name
        for i, j in pairs:
            moved = float(np.hypot(*(ours.xy[i] - theirs.xy[j])))
            change = float(theirs.score[j] - ours.score[i])
            if moved > tolerance_px:
                differences.append(_difference(name, ours.xy[i], f"found {moved:.2f} px away"))
            if abs(change) > tolerance_score:
                differences.append(_difference(name, ours.xy[i], f"score {change:+.4f}"))
        for k, (detections, unmatched) in enumerate(((expected, missing), (found, new))):
            left = np.delete(own[k], pairs[:, k])
            unmatched.extend(left[detections.score[left] - sign.threshold > tolerance_score].tolist())
    lost, gained = expected.take(np.array(missing, np.int64)), found.take(np.array(new, np.int64))
    tied = _tied(spec, lost, gained)
    for what, detections, excused in (("missing", lost, tied.any(axis=1)), ("not expected", gained, tied.any(axis=0))):
        for i in np.flatnonzero(~excused):
            said = f"{what}, score {detections.score[i]:.4f}"
            differences.append(_difference(spec.sign_names[detections.sign[i]], detections.xy[i], said))
    return SelfTestResult(len(expected), len(found), tuple(differences))


def _tied(spec: ModelSpec, a: Detections, b: Detections) -> NDArray[np.bool_]:
    """(len(a), len(b)): whether the two are rivals for one structure, and rounding alone decides between them."""
    rival_of = np.array([channel.sign.group or f"channel {i}" for i, channel in enumerate(spec.signs)])
    apart = np.hypot(*(a.xy[:, None] - b.xy[None]).transpose(2, 0, 1))
    even = np.abs(a.score[:, None] - b.score[None]) <= TIE_SCORE
    return np.asarray((rival_of[a.sign][:, None] == rival_of[b.sign][None]) & (apart < spec.suppression_px) & even)


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
