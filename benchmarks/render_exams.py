"""Sections of docs/benchmarks.md on exams of models that were taught by drawn scalps."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from page_parts import AUGMENTED, figure, figure_table, names, paragraph

WEIGHTS = Path(__file__).parents[1] / "src" / "trichotrack" / "model" / "bundled.safetensors"

THRESHOLDS = {
    "own_thresholds": "the model's own",
    "kept_apart": "one threshold, crossed over halves of the people",
    "best": "the best of these captures (an upper bound)",
}
PLACES = {"whole": "whole captures", "hair_free": "hair-free parts"}

UNSEEN = (
    "The model is trained on nothing of it; the renderer's priors were set by measuring training people and by looking "
    "at overlays of validation people, so this set is not untouched. Intervals are of these people alone; the "
    "model is one training."
)
DOUBLES = (
    "Eight pairs of this set's people have all their captures in common, three of them with one in `train` and one in "
    "`val`: 12 of the 156 validation captures were trained on under another name, so that these figures lean upwards."
)


def zero_shot(record: dict[str, Any]) -> str:
    data = record["data"]
    split = "every split" if data["split"] == "all" else f"split `{data['split']}`"
    rows = [
        [name, THRESHOLDS[kind]]
        + [figure(row[key], ".3f") for key in ("f1", "precision", "recall")]
        + [figure(row["count_mae"], ".2f"), figure(row["bias"], "+.2f")]
        for name, kinds in record["any_hair"].items()
        for kind, row in kinds.items()
    ]
    false = [
        [f"`{sign}`", PLACES[place], *_false(row)]
        for sign, by_place in record["false_per_cm2"].items()
        for place, row in by_place.items()
    ]
    described = (
        f"Model `{record['model']['name']}` on {data['captures']} captures of {data['patients']} people, {split}. "
        f"{UNSEEN} A mark of any hair sign within {record['tolerance_mm']:g} mm of a "
        f"labelled root is right, one to one; {names(record['ignored_signs'])} is neither right nor wrong; no sign is "
        "refused."
    )
    hair_free = (
        "No black dot and no tapering hair is labelled here, so each is taken for false (at the model's own "
        "thresholds, without a border of 40 px). Hair-free: farther than 0.4 mm from every labelled shaft."
    )
    return (
        paragraph([f"### {record['name']}\n", described])
        + figure_table(["counted", "threshold", "F1", "precision", "recall", "count MAE", "bias"], rows)
        + paragraph([hair_free])
        + figure_table(["sign", "where", "marks", "cm²", "per cm²"], false)
        + _by_split(record)
        + _notes(record)
    )


def _false(row: dict[str, Any]) -> list[str]:
    return [str(row["marks"]), f"{row['area_cm2']:.1f}", figure(row["per_cm2"], ".2f")]


def _by_split(record: dict[str, Any]) -> str:
    """Each split by itself, where every split was read."""
    parts = record.get("by_split", {})
    if not parts:
        return ""
    rows = [
        [f"`{split}`", f"{part['captures']} of {part['patients']} people", name, THRESHOLDS[kind]]
        + [figure(row[key], ".3f") for key in ("f1", "precision", "recall")]
        for split, part in parts.items()
        for name, kinds in part["any_hair"].items()
        for kind, row in kinds.items()
    ]
    false = [
        [f"`{split}`", f"`{sign}`", PLACES[place], *_false(row)]
        for split, part in parts.items()
        for sign, by_place in part["false_per_cm2"].items()
        for place, row in by_place.items()
    ]
    return (
        paragraph(["By split, thresholds chosen within each:"])
        + figure_table(["split", "captures", "counted", "threshold", "F1", "precision", "recall"], rows)
        + figure_table(["split", "sign, each taken for false", "where", "marks", "cm²", "per cm²"], false)
    )


def synthetic_exam(record: dict[str, Any]) -> str:
    fields = "; ".join(
        f"{field['name']}: {field['size_px'][0]}×{field['size_px'][1]} px at {field['um_per_px']:g} µm/px"
        for field in record["fields"]
    )
    described = (
        f"Model `{record['model']['name']}` on {record['captures']} drawn captures of each magnification ({fields}), "
        f"seed {record['seed']}, which no recipe trains with. A mark within {record['tolerance_mm']:g} mm is right, "
        f"one to one; marks on {names(record['ignored_signs'])} are neither right nor wrong. Intervals by resampling "
        "captures; the model is one training. Width: median error of shafts of at least "
        f"{record['least_shaft_px']:g} px ({record['least_shaft_um']:g} µm) at the model's scale; direction: median "
        "error, of all hairs and of those whose tip is in view; all of hairs found. A "
        "pigtail hair's direction, from its root to the end of its coil, says little. Apart from these, as "
        f"`{record['white_hair']}`: half as many captures of white hair on light skin, the magnifications by turns."
    )
    lines = [
        f"### {record['name']}\n",
        described,
        _refused({name: told["refused_captures"] for name, told in record["groups"].items()}),
    ]
    if record["refused"]:
        lines.append(f"Refused by the model's spec, and measured all the same: {names(record['refused'])}.")
    rows, shafts = [], []
    for group, told in record["groups"].items():
        for sign, row in told["signs"].items():
            rows.append(
                [f"`{sign}`", group, str(row["labelled"])]
                + [figure(row[key], ".3f") for key in ("f1", "precision", "recall")]
                + [figure(row["bias_percent"], "+.1f"), figure(row["count_mae"], ".2f")]
            )
        pooled = (("all of them", told["all_signs"]), ("all but pigtail hair", told["all_but_coiled"]))
        for sign, row in [*told["signs"].items(), *pooled]:
            if row["direction_error_deg"]["value"] is not None:
                shafts.append([f"`{sign}`" if sign in told["signs"] else sign, group, *_shaft(row)])
    return (
        paragraph(lines)
        + figure_table(["sign", "scale", "drawn", "F1", "precision", "recall", "count bias, %", "count MAE"], rows)
        + figure_table(
            ["sign", "scale", "width, %", "at the root, %", "at the tip, %", "direction, °", "tip in view, °"], shafts
        )
        + _notes(record)
    )


def _shaft(row: dict[str, Any]) -> list[str]:
    keys = (
        "width_error_percent",
        "root_width_error_percent",
        "tip_width_error_percent",
        "direction_error_deg",
        "whole_direction_error_deg",
    )
    return [figure(row[key], ".1f") for key in keys]


def held_out(record: dict[str, Any]) -> str:
    described = (
        f"Model `{record['model']['name']}` on {record['captures']} drawn captures of each stratum, beyond the "
        f"renderer's training priors, beside the same captures under the usual priors (seed {record['seed']}). "
        f"{AUGMENTED} Tolerance {record['tolerance_mm']:g} mm. Intervals by resampling pairs of captures."
    )
    rows = [
        [
            stratum.replace("_", " "),
            f"`{sign}`" if "_" in sign else sign,
            figure(row["usual"], ".3f"),
            figure(row["held_out"], ".3f"),
            figure(row["fall"], "+.3f"),
        ]
        for stratum, signs in record["strata"].items()
        for sign, row in signs.items()
    ]
    header = ["stratum", "sign", "F1, usual priors", "F1, this stratum", "fall"]
    return (
        paragraph([f"### {record['name']}\n", described, _refused(record["refused_captures"])])
        + figure_table(header, rows)
        + _notes(record)
    )


def fine_tuning(record: dict[str, Any]) -> str:
    recipe, validation = record["recipe"], record["validation"]
    frozen = {cell["start"]: cell["frozen"] for cell in record["cells"]}
    described = (
        f"Any hair root of `{record['data']}`, on {validation['captures']} captures of {validation['people']} "
        f"validation people, within {record['tolerance_mm']:g} mm, at one threshold, crossed over halves of the "
        f"people. Every cell: {recipe['steps']} steps of {recipe['batch_size']} crops of {recipe['crop_px']} px; "
        "smaller groups of people are among the larger. The stem and first stages stay as they start: "
        + ", ".join(f"{n} of them from {start}" for start, n in frozen.items())
        + f". {_started_from(record)}Intervals are of the people tested on alone: one training a cell, one draw of "
        "each group of people. " + DOUBLES
    )
    people = sorted({cell["people"] for cell in record["cells"]}, key=lambda n: n or 10**9)
    starts = dict.fromkeys((cell["start"], cell["backbone"]) for cell in record["cells"])
    f1s = {(c["start"], c["backbone"], c["people"]): figure(c["kept_apart_f1"], ".3f") for c in record["cells"]}
    rows = [[f"{start} (`{net}`)", *(f1s.get((start, net, n), "-") for n in people)] for start, net in starts]
    header = ["F1 after training from", *(f"{n} people" if n else "all people" for n in people)]
    text = paragraph([f"### {record['name']}\n", described]) + figure_table(header, rows)
    if compared := record.get("fewer_people"):
        (start, few, net), (other, many, other_net) = compared["one"], compared["other"]
        less = figure(compared["f1_less"], "+.3f")
        text += paragraph(
            [
                f"From {start} (`{net}`), {few} people, less from {other} (`{other_net}`), {many} people:",
                f"F1 {less}, on the same validation people.",
            ]
        )
    return text


def _started_from(record: dict[str, Any]) -> str:
    """By which bundled weights the cells were started; "" where none was."""
    hashes = {cell["weights_sha256"] for cell in record["cells"] if cell["start"] == "bundled"}
    # What is not the present file was one before it.
    earlier = {hashlib.sha256(WEIGHTS.read_bytes()).hexdigest(): ""}
    told = [sha256[:16] + earlier.get(sha256, ", earlier than the present ones") for sha256 in sorted(hashes)]
    return f"The bundled weights are those of SHA-256 {'; '.join(told)}. " if told else ""


def levels(record: dict[str, Any]) -> str:
    recipe = record["recipe"]
    what = "drawn captures" if recipe["data"] == "synthesis" else "hair-follicles-70x, clipped scalps"
    start = ""
    if recipe["start"] == "bundled":
        start = " `hair` starts as the bundled broken hair, `undersize` as its short vellus hair: see one step."
    described = (
        f"What each level of label teaches from {recipe['start']}, steps: {recipe['steps']} ({what}; the same people "
        "train, the same validate, labelled as their arm is, and the same, all marked, test). `marked20`: the captures "
        "of a fifth of the training people are marked; beside it what is known of the others: nothing, their numbers, "
        "half of their structures told as `partial`, or the same half told as if it were all. Pointing: the share of "
        "captures with the sign in which its likeliest mark lies on one, and what chance would reach. One training a "
        "row: the intervals are of the people tested on alone." + start
    )
    measures = ["F1", "recall", "count MAE", "bias", "AUROC", "average precision", "pointing", "by chance"]
    rows = []
    for sign in dict.fromkeys(sign for cell in record["cells"] for sign in cell["signs"]):
        for cell in record["cells"]:
            if told := cell["signs"].get(sign):
                forms = {"f1": ".3f", "recall": ".3f", "count_mae": ".2f", "bias": "+.2f"}
                forms |= dict.fromkeys(("auroc", "average_precision", "pointing"), ".3f")
                chance = told["pointing_by_chance"]
                figures = [figure(told[name], form) for name, form in forms.items()]
                rows.append([f"`{sign}`", cell["arm"], *figures, "-" if chance is None else f"{chance:.3f}"])
    return paragraph([f"### {record['name']}\n", described]) + figure_table(["sign", "labels", *measures], rows)


def suggested(record: dict[str, Any]) -> str:
    described = (
        f"{record['captures']} captures that `labels suggest` chose of {record['pool']} of the training people, by the "
        f"bundled model, against as many drawn at random, {len(record['seeds'])} trainings each. Any hair root of "
        "people who validate; all trainings' marks together. " + DOUBLES
    )
    people = ", ".join(f"{how} {min(n)} to {max(n)}" for how, n in record["people_by_seed"].items())
    rows = [
        ["suggested", figure(record["suggested_f1"], ".3f")],
        ["random", figure(record["random_f1"], ".3f")],
        ["suggested less random", figure(record["f1_less"], "+.3f")],
    ]
    each = ", ".join(f"{value:+.3f}" for value in record["f1_less_by_seed"])
    told = f"By seed: {each}. People that the captures are of: {people}."
    head = paragraph([f"### {record['name']}\n", described])
    return head + figure_table(["captures", "F1"], rows) + paragraph([told])


def exam_difficulty(record: dict[str, Any]) -> str:
    recipe, f1s, sizes = record["recipe"], record["f1"], record["sizes"]
    described = (
        f"One recipe (from {recipe['start']}, {recipe['steps']} steps) trained and tested on "
        f"`{record['data']['real']}` and on {record['data']['drawn']}: any hair root, on people who "
        "validate, at one threshold, crossed over halves of them. Neither has masks of "
        "what a device draws over its picture. Intervals are of the people tested on "
        "alone: one training on each. Of the real ones: " + DOUBLES[0].lower() + DOUBLES[1:]
    )
    rows = [[what.replace("_", " "), *_size(sizes[what]), figure(f1s[what], ".3f")] for what in f1s]
    told = "; ".join(f"{what.replace('_', ' ')} {figure(row, '+.3f')}" for what, row in record["less_real"].items())
    as_read = (
        f"Drawn as read: {record['reader_misses']:.1%} of the hairs left out of the labels and as many marked "
        f"anywhere, as by one of two equal readers who agree as those of the real set do. Less real: {told}."
    )
    header = ["captures", "trained on", "tested on", "hairs a capture", "F1"]
    return paragraph([f"### {record['name']}\n", described]) + figure_table(header, rows) + paragraph([as_read])


def _size(sizes: dict[str, Any]) -> list[str]:
    told = [f"{sizes[split]['captures']} of {sizes[split]['people']} people" for split in ("train", "val")]
    return [*told, f"{sizes['hairs_per_capture']:.1f}"]


def _refused(captures: dict[str, int]) -> str:
    told = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in captures.items())
    return f"Captures refused for showing too little scalp, all that was drawn in them missed: {told}."


def _notes(record: dict[str, Any]) -> str:
    notices = [text for text in (record["model"]["notice"], record.get("note", "")) if text]
    return paragraph(notices) if notices else ""
