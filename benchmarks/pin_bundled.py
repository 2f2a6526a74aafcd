"""Pins what the bundled model finds, so that no later weights are bundled that find less.

uv run benchmarks/pin_bundled.py [--accept "why worse figures are taken"]

48 captures are drawn afresh, a third at each magnification and a third of clipped scalps, and read. The figures go
beside the ONNX file, with the hashes of what is bundled, and tests/test_bundled_model.py takes them again. Figures that
are worse than the pinned ones are refused, unless --accept gives a reason, which is kept. Where the renderer has
changed, pin the old weights first: figures on other captures compare nothing.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter as Tally
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from drawn_marks import IGNORED_SIGN, TOLERANCE_MM, Field, is_refused, scores_of, without_missed

import trichotrack
from trichotrack.evaluate.points import CaptureScore
from trichotrack.evaluate.provenance import today
from trichotrack.runtime.counter import BUNDLED, Counter
from trichotrack.synth.priors import Priors
from trichotrack.synth.render import capture_rng, render_capture

SCHEMA = "trichotrack.pins/1"
PINS = BUNDLED.parent / "figures.json"
WEIGHTS = Path(trichotrack.__file__).parent / "model" / f"{BUNDLED.stem}.safetensors"

PIN_SEED = 910_000
"""Of these captures alone: no recipe trains or validates with it, and no exam draws by it."""


FIELDS = (Field("70×", (1280, 1024), 2.82), Field("20×", (800, 640), 5.7))
CLIPPED = Field("clipped", (960, 768), 2.82)
CAPTURES = 16
"""Of each field."""

PATCH_SHARE, ABSENT = (0.8, 1.3), 0.05
"""Nearly every capture lies within a patch and shows nearly every sign: few captures then hold many structures."""

PREPARATION = "unclipped"
"""As drawn, and said for certain: whether a rich scalp looks clipped would depend on single marks."""

MAX_F1_DROP, MAX_BIAS_GROWTH = 0.01, 0.03
"""Beyond these (or beyond two marks, where few are labelled) figures are worse: rounding elsewhere moves no more."""


def measure(onnx: Path = BUNDLED) -> dict[str, Any]:
    """F1 and count bias by sign, on the pinned captures; no sign is refused for what validation missed."""
    counter = _unrefusing(onnx)
    scores: dict[str, list[CaptureScore]] = {}
    fields = (*FIELDS, CLIPPED)
    drawn, refused = [], dict.fromkeys((field.name for field in fields), 0)
    for number, field in enumerate(fields):
        clipped = field is CLIPPED
        priors, preparation = _priors(clipped=clipped), "clipped" if clipped else PREPARATION
        for index in range(CAPTURES):
            rng = capture_rng(PIN_SEED, number, index)
            capture = render_capture(rng, size_px=field.size_px, um_per_px=field.um_per_px, priors=priors)
            drawn.append(sorted(Tally(item.sign for item in capture.objects).items()))
            reading = counter.read(capture.image, um_per_px=capture.um_per_px, preparation=preparation)
            refused[field.name] += is_refused(reading)
            scores.setdefault(field.name, []).extend(scores_of(reading, capture, counter.spec))
    of_clipped = scores.pop(CLIPPED.name)
    both = [score for of_field in scores.values() for score in of_field]
    return {
        "captures": {
            "seed": PIN_SEED,
            "of_each_field": CAPTURES,
            "fields": [asdict(field) | {"size_px": list(field.size_px)} for field in fields],
            # Numbers of structures, not places: those are the same on every processor.
            "drawn_sha256": hashlib.sha256(json.dumps(drawn).encode()).hexdigest(),
        },
        "tolerance_mm": TOLERANCE_MM,
        "ignored": [IGNORED_SIGN],
        "refused_captures": refused,
        "signs": {
            sign: _figures(both, sign) | {name: _figures(of_field, sign) for name, of_field in scores.items()}
            for sign in dict.fromkeys(score.sign for score in both)
        }
        | {
            f"{sign}, {CLIPPED.name}": _figures(of_clipped, sign)
            for sign in dict.fromkeys(score.sign for score in of_clipped if score.reference)
        },
    }


def _unrefusing(onnx: Path) -> Counter:
    """The model with no sign refused for what its validation missed: a pin must see every sign."""
    counter = Counter(onnx)
    counter.model_file = replace(counter.model_file, spec=without_missed(counter.spec))
    return counter


def _priors(*, clipped: bool) -> Priors:
    """Rich in signs; unless clipped on no prepared scalp, where some of them would be refused."""
    plain = Priors()
    prepared = {"clipped_chance": float(clipped), "shaved_chance": 0.0, "tattooed_chance": 0.0}
    scalp = replace(plain.scalp, patch_share=PATCH_SHARE, sign_absent=ABSENT, rare_absent=ABSENT, **prepared)
    return replace(plain, scalp=scalp)


def _figures(scores: list[CaptureScore], sign: str) -> dict[str, Any]:
    own = [score for score in scores if score.sign == sign]
    right, labelled = sum(score.tp or 0 for score in own), sum(score.reference for score in own)
    found = sum(score.predicted for score in own)
    return {
        "labelled": labelled,
        "found": found,
        "f1": round(2 * right / (labelled + found), 4) if labelled + found else None,
        "count_bias": round(found / labelled - 1, 4) if labelled else None,
    }


def shipped() -> dict[str, str]:
    """What identifies the bundled files and the recipe that they came from."""
    return {
        "onnx_sha256": hashlib.sha256(BUNDLED.read_bytes()).hexdigest(),
        "safetensors_sha256": hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(),
        "recipe_sha256": Counter(BUNDLED).spec.recipe_sha256,
    }


def worse(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """In what the figures of new are worse than those of old, a sentence each. Both on the same captures."""
    said = []
    for sign, before in old["signs"].items():
        after = new["signs"].get(sign)
        if after is None:
            said.append(f"{sign}: pinned, and no longer counted")
            continue
        two = 2 / max(before["labelled"], 1)
        if before["f1"] is not None and (after["f1"] or 0.0) < before["f1"] - max(MAX_F1_DROP, two):
            said.append(f"{sign}: F1 {after['f1']}, pinned {before['f1']}")
        biases = [abs(figures["count_bias"] or 0.0) for figures in (before, after)]
        if biases[1] > biases[0] + max(MAX_BIAS_GROWTH, two):
            said.append(f"{sign}: count bias {after['count_bias']}, pinned {before['count_bias']}")
    return said


def objections(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Why new must not simply take the place of old."""
    if old["captures"] == new["captures"]:
        return worse(old, new)
    if old["onnx_sha256"] == new["onnx_sha256"]:
        return []  # the same weights on captures that are drawn otherwise: nothing is lost
    return ["the renderer draws other captures than the pinned ones, and the weights are others too: pin the old first"]


def pinned() -> dict[str, Any] | None:
    """The figures beside the bundled file; None before any were pinned."""
    return json.loads(PINS.read_text(encoding="utf-8")) if PINS.is_file() else None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--accept", default="", help="why worse figures are taken")
    options = parser.parse_args()
    old = pinned()
    new = {"schema": SCHEMA, **shipped(), **measure()}
    against = objections(old, new) if old else []
    for sign, figures in new["signs"].items():
        print(f"{sign}: {figures['labelled']} drawn, F1 {figures['f1']}, count bias {figures['count_bias']}")
    if against and not options.accept:
        sys.exit("Not pinned:\n" + "\n".join(against))
    new["accepted"] = list(old["accepted"]) if old else []
    if against:
        new["accepted"].append({"date": today(), "reason": options.accept, "against": against})
    PINS.write_text(json.dumps(new, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    print(PINS.name, "written")


if __name__ == "__main__":
    main()
