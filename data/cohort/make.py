"""Writes the tables beside it: a made-up cohort. Nobody in it is a person.

uv run data/cohort/make.py

The counts that a published cohort states (doi 10.1111/1346-8138.17641) are kept exactly: 86 treated, 70 completers, 29
with SALT ≤ 20 at nine months, 10 of 11 with multiplex and 3 of 10 with ophiasis alopecia among the completers, and the
adverse events. Which patient has what is drawn, with odds that point the way the publication says.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

FOLDER = Path(__file__).resolve().parent

COMPLETERS = {"multiplex": (11, 10), "ophiasis": (10, 3), "totalis": (19, 7), "universalis": (30, 9)}
"""By AA type: completers, and responders of them. The last two are assumed so that the sums are 70 and 29."""
STOPPED = {"multiplex": 1, "ophiasis": 3, "totalis": 4, "universalis": 8}
"""Treated, but not seen at nine months: 16, their types assumed."""
EVENTS = {"eGFR decline": 16, "elevated liver enzymes": 3, "acne": 2, "herpes zoster": 1}
"""By kind: patients of 86. 22 (25.6 %) have one each; 18.6 % and 3.5 % are published, the rest is assumed."""
SEED = 17641


def main() -> None:
    rng = np.random.default_rng(SEED)
    people = _people(rng)
    patients, salt = [_HEADER], [["patient", "month", "salt"]]
    for number, (aa_type, responded, stays) in enumerate(people, start=1):
        name = f"S{number:03d}"
        duration = float(np.round(rng.lognormal(0.9 if responded else 1.6, 0.95), 1))
        salt0 = _salt0(rng, aa_type)
        patients.append(
            [
                name, aa_type, "female" if rng.random() < (0.68 if responded else 0.48) else "male",
                int(np.clip(rng.normal(36, 12), 18, 70)), max(duration, 0.5), int(rng.random() < 0.3),
                int(rng.random() < (0.6 if responded else 0.2)), int(rng.integers(0, 4)), int(rng.integers(0, 4)), 1,
            ]
        )  # fmt: skip
        salt += [[name, month, value] for month, value in _course(rng, salt0, responded=responded, stays=stays)]
    hurt = rng.permutation(len(people))
    events: list[list[object]] = [["patient", "kind", "grade"]]
    for kind, number in EVENTS.items():
        chosen, hurt = hurt[:number], hurt[number:]
        events += [[f"S{i + 1:03d}", kind, 1 if rng.random() < 0.8 else 2] for i in sorted(chosen)]
    for stem, rows in (("patients", patients), ("salt", salt), ("events", events)):
        text = "".join(",".join(map(str, row)) + "\n" for row in rows)
        (FOLDER / f"{stem}.csv").write_text(text, encoding="utf-8", newline="\n")


_HEADER: list[object] = [
    "patient", "aa_type", "sex", "age", "duration_years", "atopic", "pulse", "eyebrow", "eyelash", "synthetic",
]  # fmt: skip


def _people(rng: np.random.Generator) -> list[tuple[str, bool, bool]]:
    """(AA type, responded, stays) of each patient, in a drawn order."""
    people = []
    for aa_type, (stayed, responders) in COMPLETERS.items():
        people += [(aa_type, i < responders, True) for i in range(stayed)]
        people += [(aa_type, False, False)] * STOPPED[aa_type]
    return [people[i] for i in rng.permutation(len(people))]


def _salt0(rng: np.random.Generator, aa_type: str) -> int:
    if aa_type == "universalis":
        return 100
    if aa_type == "totalis":
        return int(rng.integers(91, 101))
    if aa_type == "ophiasis":
        return int(rng.integers(55, 80))
    return int(rng.integers(50, 100))


def _course(rng: np.random.Generator, salt0: int, *, responded: bool, stays: bool) -> list[tuple[int, int]]:
    """SALT at months 0, 3, 6 and 9; 12 for some."""
    if responded:
        end = int(rng.integers(0, 21))
        shares = np.sort(rng.uniform(0.1, 1.0, 2))
        if rng.random() < 0.3:
            shares[1] = 1.0  # there by month 6
        middle = [round(salt0 - share * (salt0 - end)) for share in shares]
    else:
        little = max(-0.2, rng.normal(0.05, 0.15))
        end = round(salt0 * (1 - (little if rng.random() < 0.7 else rng.uniform(0.25, 0.75))))
        end = int(np.clip(end, 24, 100))
        middle = [round(salt0 - share * (salt0 - end)) for share in (0.3, 0.7)]
    course = [(0, salt0), (3, middle[0]), (6, middle[1]), (9, end)]
    if not stays:
        return course[: int(rng.integers(1, 4))]
    if rng.random() < 0.4:
        course.append((12, int(np.clip(end + (25 if rng.random() < 0.15 else rng.integers(-5, 8)), 0, 100))))
    return course


if __name__ == "__main__":
    main()
