"""Writes docs/model-card.md of the bundled model, from what its file says of itself and from benchmarks/results.

uv run benchmarks/model_card.py [--check]

A figure stands here only if it was measured on the very file that is bundled; what was not says so.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from page_parts import AUGMENTED
from pages import ROOT, keep, table, wrapped
from records import RESULTS
from render import SECTIONS

from trichotrack.runtime.counter import BUNDLED
from trichotrack.runtime.model_file import ModelFile, open_model
from trichotrack.runtime.spec import SignSpec
from trichotrack.synth.priors import HELD_OUT

DOCUMENT = ROOT / "docs" / "model-card.md"

FIGURES = (
    ("synthetic-exam", "Synthetic captures, other seeds", "One recipe drew both these and the training captures."),
    (
        "held-out",
        "Nuisances beyond the renderer's training priors",
        f"Strata: colour of the device, blur, noise, dark skin, red hair. {AUGMENTED}",
    ),
    (
        "zero-shot",
        "Real captures, zero-shot: any hair root",
        "Clipped scalps at 70×: roots, not signs of alopecia areata.",
    ),
    (
        "fine-tuning",
        "Real captures, fine-tuned",
        "The same steps from bundled weights, from ImageNet and, where told, from scratch.",
    ),
    (
        "exam-difficulty",
        "Is the synthetic exam too easy?",
        "One recipe, trained and tested on drawn and on real captures.",
    ),
    ("quality", "Other sets of labels", "The demonstration captures are synthetic too."),
    ("speed", "Speed", "Captures a second from file to reading."),
)
"""Kind of record, title, and what must be said above its figures."""

HERE = "<figures>"

HEADER = ("sign", "role", "threshold", "recall", "false marks per cm²", "counted")

OF_NO_FILE = frozenset({"exam-difficulty", "fine-tuning"})
"""Kinds that measure recipes, not one file: they stand here whatever file is bundled."""

PAGE = """\
# Model card: {name}

Made by `uv run benchmarks/model_card.py` from `{file}` and `benchmarks/results`; do not edit. After Mitchell et
al., *Model Cards for Model Reporting* (2019), with the items of CLAIM that apply.

**Synthetic-trained. Not validated on patients. Not a medical device: it does not diagnose and does not advise
on treatment.**

## The model

{facts}

## Intended use

{intended_use}

It marks and counts structures in close-up captures of the scalp (dermoscopy, trichoscopy) of a known scale, for
people who look at the marks: to try the tool, to mark captures that a person then corrects, and as weights from
which a training on labels of one's own starts.

**Not intended**: diagnosis of a disease or of its activity; a decision on treatment; counts that nobody looks
at; captures without a scale, of other skin, or of the whole head; brows, lashes, beards; animals. Signs that
the preparation of the scalp hides (clipped, shaved, dyed, fibres, tattooed) are refused where the user says how
it was prepared. Unsaid, only clipping is noticed: where most thick hairs end within view, signs told by a free end
are refused until somebody says whether it was clipped.

## What it reads

{signs}

Threshold: the score above which a mark counts, chosen on the validation captures, where recall and false marks
were measured too: {validated_on}. A sign of which it surely misses more than half is refused, and so is one that
the scale cannot show.

## Trained on

{trained_on}.

No capture of a patient was trained on. The renderer was improved by looking at real captures of clipped scalps,
none of which entered a training. What is drawn, from which assumptions: [the synthetic
scalp](synthetic-scalp.md); what changing it did to the figure on real captures: [the renderer's
log](renderer-log.md).

## Figures

In brackets: 95 % intervals by resampling people; on drawn captures, by resampling captures. All of them, with machine
and command: [benchmarks](benchmarks.md).

{figures}

## Limits

- **It learnt from drawings.** Densities, looks and mixtures of the signs are assumed, and no real capture of
  alopecia areata with its signs marked was available: how it does on patients is not known.
- Figures on synthetic captures say how well it reads this renderer, and nothing of people. Real figures here
  are of hair roots on clipped scalps, from one hospital at one magnification.
- Look-alikes: clipped stubs (broken hairs); shaved stubs, dye, fibres, tattooed dots (black dots).
- White hair on light skin was learnt late: its figures stand apart above (`white hair`), and are worse for most signs,
  tapering and short vellus hairs among them.
- Scores are not probabilities. Readings are unreviewed until a person accepts them.
- {scales}

## People it may fail

Skin tones and hair colours are drawn from wide ranges, but the ranges are assumed, and tones are rendered, not
photographed. Left out of what training draws, on purpose: {held_out}. {augmented} What each of them
costs stands above, where it was measured. Real captures were available from one hospital alone. How it does by
age, sex, origin, skin tone or curl of hair of real people was never measured: look at every mark. Captures that
you read stay on your computer.

## Fine-tune it

With labels of your own ([training](training.md) has the settings):

```
uv run trichotrack labels describe my-labels
uv run train.py fit --config configs/few.yaml --config my-labels/described/plan.yaml
uv run export.py runs/my-labels/version_0/checkpoints/best.ckpt my-model.onnx
uv run trichotrack evaluate my-model.onnx my-labels --split test --out evaluation
```

Validate on people before anything rests on it, and say on whom.
"""


def page() -> str:
    """The whole card."""
    model = open_model(BUNDLED)
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    spec = model.spec
    low, high = spec.training_um_per_px or (None, None)
    scales = (
        f"Scales it was trained for: {low:g} to {high:g} µm per px. Outside them it refuses." if low and high else
        "The range of scales it was trained for is not recorded."
    )  # fmt: skip
    text = PAGE.format(
        name=spec.name,
        file=BUNDLED.relative_to(ROOT).as_posix(),
        facts=facts(model),
        intended_use=spec.intended_use,
        signs=table(HEADER, [row for one in spec.signs for row in _signs(one)]),
        validated_on=spec.validated_on or "not recorded",
        trained_on=(spec.trained_on or "Not recorded")[:1].upper() + spec.trained_on[1:],
        figures=HERE,
        scales=scales,
        augmented=AUGMENTED,
        held_out=", ".join(name.replace("_", " ") for name in HELD_OUT),
    )
    return wrapped(text).replace(HERE, "".join(section(*one, records, model) for one in FIGURES).strip())


def facts(model: ModelFile) -> str:
    """What the file says of itself."""
    spec = model.spec
    plan = spec.training.get("plan", {})
    weights = sorted((ROOT / "src" / "trichotrack" / "model").glob("bundled*.safetensors"))
    recipe = spec.training.get("recipe", {})
    sha256 = spec.recipe_sha256 or recipe.get("sha256", "")
    rows = [
        ["file", f"`{BUNDLED.name}`, {BUNDLED.stat().st_size / 1e6:.1f} MB; SHA-256 `{model.sha256}`"],
        ["weights to fine-tune", ", ".join(f"`{p.name}`, {p.stat().st_size / 1e6:.1f} MB" for p in weights) or "none"],
        ["recipe", _recipe(recipe.get("files", ()), sha256)],
        ["code", spec.code_version or "not recorded"],
        ["licence", spec.licence or "not recorded"],
        ["outputs", ", ".join(f"`{name}`" for name in spec.outputs)],
        ["canonical scale", f"{spec.um_per_px:g} µm per px" if spec.um_per_px else "none"],
        ["smallest distance of two marks", f"{spec.min_distance_um:g} µm" if spec.min_distance_um else "in px"],
        ["vellus cut-off", f"{spec.vellus_cutoff_um:g} µm"],
        ["tells of a hair", ", ".join(spec.measures) or "its root only"],
        ["neither right nor wrong", ", ".join(f"`{name}`" for name in plan.get("ignore", [])) or "nothing"],
        ["validated on people", spec.validated_on_people or "no"],
    ]
    return table(["", ""], rows)


def _signs(one: SignSpec) -> list[list[str]]:
    """A row, and another where it has figures of its own on clipped scalps."""
    there = one.on("clipped")
    return [_sign(one)] if there is one else [_sign(one), [f"`{one.sign.name}`, clipped scalp", *_sign(there)[1:]]]


def _sign(one: SignSpec) -> list[str]:
    recall = _with_error(one.recall, one.recall_se, ".2f")
    false = _with_error(one.false_positives_per_cm2, one.false_positives_per_cm2_se, ".1f")
    counted = f"refused: {one.missed}" if one.missed else "yes"
    return [f"`{one.sign.name}`", one.sign.role.replace("_", " "), f"{one.threshold:.2f}", recall, false, counted]


def _recipe(files: Sequence[str], sha256: str) -> str:
    named = ", ".join(f"`{file}`" for file in files)
    return f"{named}{', ' if named else ''}SHA-256 `{sha256}`" if sha256 else named or "not recorded"


def _with_error(value: float | None, error: float | None, form: str) -> str:
    if value is None:
        return "not measured"
    return f"{value:{form}}" + (f" (SE {error:{form}})" if error is not None else "")


def section(kind: str, title: str, said: str, records: list[dict[str, Any]], model: ModelFile) -> str:
    """One kind of figure: as on the page of benchmarks, without command and machine; or that it was not measured."""
    of_kind = [record for record in records if record["kind"] == kind and _of_this(record, kind, model)]
    told = [SECTIONS[kind][1](record).rstrip() for record in of_kind if kind in SECTIONS]
    # One level further down than on the page of benchmarks.
    body = "\n\n".join(text.replace("\n### ", "\n#### ").replace("### ", "#### ", 1) for text in told)
    return f"\n### {title}\n\n{said}\n\n{body or '**Not measured** on this file.'}\n"


def _of_this(record: dict[str, Any], kind: str, model: ModelFile) -> bool:
    if kind in OF_NO_FILE:
        return True
    told = record.get("model", {})
    return bool(told.get("sha256") == model.sha256 if told else record["name"] == model.spec.name)


if __name__ == "__main__":
    keep(DOCUMENT, page, __doc__ or "")
