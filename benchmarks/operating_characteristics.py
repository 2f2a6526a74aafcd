"""How often verdicts err, how often intervals hold the truth, and what is seen: a block of docs/statistics.md.

uv run benchmarks/operating_characteristics.py           computes (about a minute on one core), writes both
uv run benchmarks/operating_characteristics.py --page    writes the block from the figures there are
"""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

import numpy as np
from page_parts import figure_table, paragraph
from pages import ROOT, wrapped
from records import RESULTS, path_of, write_record
from scipy.special import betainc, expit

from trichotrack.stats.model_error import ReaderError, corrected_rate_ratio, ratio_probability
from trichotrack.stats.multiplicity import SeriesLevels
from trichotrack.stats.power import count_mass, visit_power
from trichotrack.stats.rates import Stratum, beta_of_share, common_rate_ratio, overdispersed_p_value

KIND, NAME = "operating-characteristics", "verdicts"
OUT = RESULTS / "statistics"
DOCUMENT = ROOT / "docs" / "statistics.md"
BEGIN, END = "<!-- operating characteristics: begin -->", "<!-- operating characteristics: end -->"

EVENTS = (5, 6, 8, 10, 20, 50, 100, 300)
CVS = (0.0, 0.06, 0.15, 0.3)
RATIOS = (1.0, 0.5, 0.25)
SERIES = ((12, 0.0), (30, 0.15), (200, 0.15))
PATIENTS, DRAWS = 6000, 400


def false_changes(events: float, cv: float, level: float = 0.05) -> float:
    """Share of stable pairs called changed; an exact sum."""
    (k0, p0), (k1, p1) = count_mass(events, cv), count_mass(events, cv)
    return float(p0 @ (overdispersed_p_value(k0[:, None], k1[None, :], 0.5, cv) <= level) @ p1)


def coverage(events: float, ratio: float, cv: float) -> float:
    """How often the 95 % interval of the ratio holds it; an exact sum."""
    (k0, p0), (k1, p1) = count_mass(events, cv), count_mass(ratio * events, cv)
    a, b, shift = beta_of_share(k0[:, None], k1[None, :], cv)
    upto = betainc(a, b, expit(np.log(ratio) - shift))
    low_holds = (upto >= 0.025) | (k1[None, :] == 0)
    high_holds = (upto <= 0.975) | (k0[:, None] == 0)
    return float(p0 @ (low_holds & high_holds) @ p1)


def told_in_ten_visits(events: float, cv: float) -> float:
    """Share of stable patients ever told of a change in the active load over ten visits; simulated."""
    rng = np.random.default_rng(8)
    noise = rng.gamma(1 / cv**2, cv**2, (PATIENTS, 10)) if cv else np.ones((PATIENTS, 10))
    counts = rng.poisson(events * noise)
    told, levels = np.zeros(PATIENTS, bool), SeriesLevels()
    for visit in range(1, 10):
        # Who was told counts already, so what a change hands on cannot add a second first time.
        against_baseline, against_previous = levels.next_visit()
        told |= overdispersed_p_value(counts[:, 0], counts[:, visit], 0.5, cv) <= against_baseline
        told |= overdispersed_p_value(counts[:, visit - 1], counts[:, visit], 0.5, cv) <= against_previous
    return float(told.mean())


def model_error(false: float, cv: float, ratio: float = 0.25) -> dict[str, float]:
    """40 per cm² falling to ratio × 40 on 3 cm², recall 0.8: coverage and median ratio, as seen and as corrected."""
    rng = np.random.default_rng(int(10 * false + 100 * cv))
    area, plain, held, seen, mended = 3.0, [], [], [], []
    for draw in range(DRAWS):
        noise = rng.gamma(1 / cv**2, cv**2, 2) if cv else np.ones(2)
        k0, k1 = rng.poisson(area * (0.8 * 40 * np.array([1, ratio]) * noise + false))
        own = ReaderError(0.8, 0.05, max(0.05, rng.normal(false, 0.2 * false)), 0.2 * false)
        strata = [Stratum(k0, area, k1, area)]
        shown = common_rate_ratio(strata, cv=cv)
        plain.append(shown.low <= ratio <= shown.high)
        low, high = ratio_probability(ratio, strata, own, cv=cv)
        held.append(low >= 0.025 and high <= 0.975)
        if draw < 100:
            seen.append(shown.ratio)
            mended.append(corrected_rate_ratio(strata, own, cv=cv).value)
    return {
        "false_positives_per_cm2": false, "cv": cv, "ratio": ratio, "seen": float(np.median(seen)),
        "coverage_seen": float(np.mean(plain)), "corrected": float(np.median(mended)),
        "coverage_corrected": float(np.mean(held)),
    }  # fmt: skip


def figures() -> dict[str, Any]:
    return {
        "false_changes": [{"events": k, "rates": [false_changes(k, cv) for cv in CVS]} for k in EVENTS],
        "coverage": [
            {"events": k, "ratio": ratio, "rates": [coverage(k, ratio, cv) for cv in CVS]}
            for k in EVENTS
            for ratio in RATIOS
        ],
        "power": [
            {"events": k, "ratio": ratio, "rates": [visit_power(k, ratio * k, cv=cv) for cv in CVS]}
            for k in EVENTS
            for ratio in RATIOS[1:]
        ],
        "series": [{"events": k, "cv": cv, "told": told_in_ten_visits(k, cv)} for k, cv in SERIES],
        "model_error": [model_error(false, cv) for false in (2.0, 5.0) for cv in (0.0, 0.15)],
        "cvs": list(CVS),
        "patients": PATIENTS,
        "draws": DRAWS,
    }


def block(record: dict[str, Any]) -> str:
    """The block of docs/statistics.md, markers included."""
    cvs = [f"CV {100 * cv:.0f} %" for cv in record["cvs"]]

    def rates(values: list[float]) -> list[str]:
        return [f"{100 * value:.1f}" for value in values]

    stable = [[str(row["events"]), *rates(row["rates"])] for row in record["false_changes"]]
    spans: dict[float, list[list[float]]] = {}
    for row in record["coverage"]:
        spans.setdefault(row["events"], []).append(row["rates"])
    held = [
        [str(events), *(f"{100 * min(column):.1f} to {100 * max(column):.1f}" for column in zip(*rows, strict=True))]
        for events, rows in spans.items()
    ]
    seen = [[str(row["events"]), f"{row['ratio']:g}", *rates(row["rates"])] for row in record["power"]]
    series = "; ".join(
        f"{100 * row['told']:.1f} % at {row['events']} events and CV {100 * row['cv']:.0f} %"
        for row in record["series"]
    )
    errors = [
        [f"{row['false_positives_per_cm2']:g}", f"{100 * row['cv']:.0f} %", f"{row['seen']:.2f}",
         f"{100 * row['coverage_seen']:.0f} %", f"{row['corrected']:.2f}", f"{100 * row['coverage_corrected']:.0f} %"]
        for row in record["model_error"]
    ]  # fmt: skip
    machine = record["machine"]
    parts = [
        wrapped(
            "Made by a script; do not edit. Two visits of equal area, a test at 5 %, the CV allowed for being the true "
            "one (gamma noise). The first three tables are exact sums over the distribution of the counts, not "
            "simulations."
        )
        + "\n",
        paragraph(["Stable pairs called changed, %:"]),
        figure_table(["events at each visit", *cvs], stable),
        paragraph(["How often the 95 % interval of the ratio holds it, %, over true ratios of 1, 0.5 and 0.25:"]),
        figure_table(["events at baseline", *cvs], held),
        paragraph(["A true change told as such, %:"]),
        figure_table(["events at baseline", "true ratio", *cvs], seen),
        wrapped(
            "Stable patients ever told of a change in the active load over ten visits "
            f"({record['patients']} simulated): {series}."
        )
        + "\n",
        wrapped(
            "A true ratio of 0.25 (40 to 10 per cm² on 3 cm²) read with recall 0.8 and so many false marks, known to "
            f"within 20 %: medians, and how often the 95 % interval holds 0.25 ({record['draws']} simulated pairs). "
            "The simulated variation moves the scalp, not the false marks, so allowing for it on both is a little wide."
        )
        + "\n",
        figure_table(
            ["false marks per cm²", "CV", "ratio seen", "interval holds it", "corrected", "interval holds it"], errors
        ),
        wrapped(
            f"`{record['command']}`, {record['date']}, {machine['processor']}, {machine['cores']} cores, "
            f"Python {machine['python']}."
        ),
    ]
    return f"{BEGIN}\n{''.join(parts)}{END}"


def written(page: str, record: dict[str, Any]) -> str:
    """The page with its block made anew."""
    pattern = re.compile(f"{re.escape(BEGIN)}.*?{re.escape(END)}", re.DOTALL)
    return pattern.sub(lambda _: block(record), page)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--page", action="store_true")
    if not parser.parse_args().page:
        write_record(KIND, NAME, figures(), out=OUT)
    record = json.loads(path_of(KIND, NAME, out=OUT).read_text(encoding="utf-8"))
    page = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(written(page, record), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
