"""Writes docs/matching.md, its figures from benchmarks/results; with --check, fails where it is out of date.

uv run benchmarks/matching_page.py
"""

from __future__ import annotations

import json
from typing import Any

from pages import ROOT, keep, table, wrapped
from records import path_of

DOCUMENT = ROOT / "docs" / "matching.md"
RECORD = path_of("matching", "synthetic pairs")

NOT_MEASURED = "not measured yet"

TEXT = """# The same hairs, found again

`trichotrack visit match P001 --from 2026-03-04 --to 2026-06-01 --out matched` finds the skin that two visits
both show, and says of each structure on it whether it was found again, is gone, is new, or shows another sign:
a black dot that became an upright hair. A change of number is then told from the same hairs, not from two
samples of the scalp.

## How it works

- **The skin without its hair.** Shafts move; furrows, openings, vessels and pigment stay. What is much darker
  or lighter than the skin around it is left out, light and vignetting are taken out (`skin_texture.py`).
- **Where it lies.** Every turn within 30 degrees, and where that fails every other, and every shift, by
  correlation under both masks (Padfield 2012, `coarse_search.py`).
- **How it is stretched.** Pieces of skin of 0.4 mm are found again one by one; RANSAC (scikit-image) keeps
  those on which an affine map agrees; a smoothed thin plate takes the uneven rest (`skin_stretch.py`).
- **Is it the same field?** The pieces are dealt into two halves, and the map made from one half is asked where
  the pieces of the other lie. In another field a piece would lie near that place only by chance: the binomial
  tail of that chance, as a power of ten, is the evidence, and {least_evidence} is asked for. Too little bare
  skin, an impossible stretch or too small an overlap are refused too, each with its sentence. A field that is
  refused counts for nothing.
- **One to one.** Structures are paired by `detect.matching`, first those within 30 µm, then within 70 µm;
  yellow dots apart from hairs. Within 100 µm of the border of either picture nothing is counted.
- **Joint re-scoring.** Where one visit shows a structure and the other does not, the other's picture is read
  again at 0.4 of the model's thresholds, and a mark at that very place counts. Only the model that read the
  captures is asked; what a person marked stands.
- **Nothing twice.** Of repeats of a field the pair with the most evidence is taken. Fields of one site are
  registered with each other too, and skin that two of them show is counted in one.

scikit-image comes with the extra `match` ([README](../README.md#count-signs-in-captures)). Distances need a scale: a
capture without one is not matched.

## The test

Kept, lost and gained structures are counted; one that left the outcome by its sign is lost to it. Given how
many were lost and gained, and no change, each is as likely the one as the other: McNemar's mid-p (Fagerland,
Lydersen and Laake 2013, BMC Med Res Methodol 13:91). The interval of the ratio is the score interval for paired
proportions (Nam and Blackwelder 2002; Tang et al. 2003), drawn out to "no change" where the mid-p does not
reject. Tests hold its size and coverage by simulation. A reader's variation of 3 % at each visit is **assumed**
beside it, since light and focus differ even where the hairs are the same; it lowers the effective number of
lost and gained. Only the active load is judged. The question is asked beside the verdicts of `visit show` and
is not part of the 5 % that hold for the whole series. It speaks of the skin seen twice, not of the scalp.

## Figures

{figures}

## Limits

- The pairs are synthetic. Their skin is drawn anew under another light, focus and stretch, with shafts that lie
  otherwise, but its furrows and pigment themselves are the same at both visits. Real skin also dries, flakes,
  reddens and tans.
- Dense dark hair that hides most of the skin leaves too little to find the field by; it is refused, not
  guessed.
- A structure whose root lies under other hair at one visit is told as gone or new. Dense regrowth hides black
  dots.
- Dirt on the lens or a burned-in mark stays at one place of every capture; where it is dense it could pass for
  skin. Marks much darker or lighter than the skin around them are left out.
- Fields of a site that share less than a quarter of the smaller capture are not recognised as overlapping, and
  what lies in that strip may be counted twice.
- Gone and new hairs of one follicular unit are not independent; the test takes them as such.
- Signs are compared as they were read. Where a model takes a broken for a tapering hair at one visit, that is a
  change of sign; both are active, so the active load is not touched by it.
- The score share of 0.4 and the reader's 3 % are assumed until they are measured on people.
"""


def page() -> str:
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.is_file() else {}
    head, _, rest = TEXT.partition("{figures}")
    least = f"{record.get('least_evidence', 8):g}"
    return wrapped(head.replace("{least_evidence}", least)) + "\n" + figures(record) + "\n" + wrapped(rest.lstrip())


def figures(record: dict[str, Any]) -> str:
    if not record:
        return "Not measured yet.\n"
    rows = [
        ["the field is found, of pairs with at least half in common", share(record["registered"]), "at least 95 %"],
        ["the same, a clinic's well kept device", share(record["registered_clinic"]), ""],
        ["the same, any camera", share(record["registered_any_camera"]), ""],
        ["accepted, but in the wrong place", share(record["wrongly_placed"]), ""],
        ["unrelated fields accepted", share(record["strangers_accepted"]), "at most 1 %"],
        ["of them of the same person", share(record["strangers_same_person_accepted"]), ""],
        ["pairs of structures that are right (precision)", share(record.get("matching_precision")), "at least 98 %"],
        ["structures seen twice that are paired (recall)", share(record.get("matching_recall")), "at least 95 %"],
        ["error of a change, true points, matched", change(record.get("change_true_points")), "at most 0.5 %"],
        ["the same points, not matched", change(record.get("change_unmatched_true_points")), ""],
        ["detections, re-scored", change(record.get("detections", {}).get("change_rescored")), "at most 3 %"],
        ["detections, matched", change(record.get("detections", {}).get("change_matched")), ""],
        ["detections, not matched", change(record.get("detections", {}).get("change_unmatched")), ""],
        ["crops of real captures found", share(record.get("real", {}).get("registered")),
         ""],
        ["crops of other people accepted", share(record.get("real", {}).get("strangers_accepted")), ""],
    ]  # fmt: skip
    error = record["error_um"]
    said = (
        f"Error of the map over the common field: median {error['median']:.0f} µm, 95 % of pairs below "
        f"{error['p95']:.0f} µm. Largest evidence of an unrelated pair: "
        f"{number(record['strangers_largest_evidence'])} powers of ten. "
        f"Time of a pair: {record['seconds']['median']:.1f} s of one core. "
        f"Seed {record['seed']}; the threshold was set on another. "
        f"Fields of {record['size_px'][0]}×"
        f"{record['size_px'][1]} px at {record['um_per_px']:g} µm per px; in brackets Wilson's 95 % intervals. "
        "The error of a change is that of eight fields together, in percent of baseline, the mean over patients "
        "without its sign. "
        "The crops are of hair-follicles-70x, both of one moment, the second moved, turned, re-lit, blurred and partly "
        "overpainted."
    )
    made = f"Made by `{record['command']}` on {record['date']} ({record['machine']['processor']})."
    return "\n".join([table(["", "measured", "asked"], rows), "", wrapped(said), wrapped(made)])


def share(value: dict[str, Any] | None) -> str:
    if not value:
        return NOT_MEASURED
    return f"{value['value']:.1%} ({value['low']:.1%} to {value['high']:.1%}; {value['hits']} of {value['of']})"


def change(value: dict[str, Any] | None) -> str:
    if not value:
        return NOT_MEASURED
    told = f"{value['mean_absolute_percent']:.1f} %"
    return f"{told} (largest {value['largest_percent']:.1f} %; {value['patients']} patients)"


def number(value: float | None) -> str:
    return NOT_MEASURED if value is None else f"{value:.1f}"


def main() -> None:
    keep(DOCUMENT, page, __doc__ or "")


if __name__ == "__main__":
    main()
