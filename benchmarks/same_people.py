"""A labelled folder in which people who were photographed twice, as it looks, have one id, and no split yet.

uv run benchmarks/same_people.py local/hair70x --out local/hair70x-people

Pictures that look alike under two patients make both one, as `labels check` tells them. The images are not copied.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from trichotrack.labels.alike import near_pairs
from trichotrack.labels.check_images import look_at
from trichotrack.labels.read import parse_folder, read_labels
from trichotrack.labels.write import write_labels


def same_people(folder: Path) -> dict[str, str]:
    """By patient, the one that stands for it: the first by name of all whose pictures look alike."""
    parsed = parse_folder(folder)
    pictures = look_at(parsed).pictures
    shown = [row for _, row in parsed.captures if row.file in pictures]
    person = {row.patient: row.patient for row in shown}
    for i, j, _ in near_pairs([pictures[row.file][1] for row in shown]):
        one, other = sorted(person[shown[k].patient] for k in (i, j))
        person = {patient: one if stands == other else stands for patient, stands in person.items()}
    return person


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    labelset, person = read_labels(options.labels), same_people(options.labels)
    captures = tuple(replace(row, patient=person.get(row.patient, row.patient), split="") for row in labelset.captures)
    write_labels(replace(labelset, captures=captures), options.out)
    images = {Path(row.file).parts[0] for row in captures}
    for name in images:
        (options.out / name).symlink_to((options.labels / name).resolve())
    merged = sum(patient != stands for patient, stands in person.items())
    left = len(set(person.values()))
    print(f"{merged} of {len(person)} people were another already: {left} are left in {options.out}")


if __name__ == "__main__":
    main()
