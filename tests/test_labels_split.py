"""Splits by patient, and labels that follow from others."""

from __future__ import annotations

import dataclasses
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trichotrack.labels.derive import with_parents
from trichotrack.labels.split import split_by_patient
from trichotrack.labels.summary import summarise
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.problems import InputError
from trichotrack.signs import SIGN, Sign


def patients_with(counts: list[int], *, rare: frozenset[int] = frozenset(), captures_each: int = 2) -> LabelSet:
    """A patient for each of counts, with as many black dots in each capture, and a pigtail hair in those of rare."""
    captures, labels, objects = [], [], []
    for patient, count in enumerate(counts):
        for n in range(captures_each):
            file = f"{patient}_{n}.jpg"
            captures.append(CaptureRow(file, f"P{patient}"))
            labels.append(LabelRow(file, "black_dot", "exhaustive"))
            labels.append(LabelRow(file, "pigtail_hair", "presence", float(patient in rare)))
            objects += [ObjectRow(f"{file}#{k}", file, "black_dot", 1, 1) for k in range(count)]
    return LabelSet(Path(), tuple(captures), tuple(labels), tuple(objects))


def splits(labelset: LabelSet) -> dict[str, str]:
    found: dict[str, set[str]] = {}
    for row in labelset.captures:
        found.setdefault(row.patient, set()).add(row.split)
    assert all(len(names) == 1 for names in found.values())
    return {patient: names.pop() for patient, names in found.items()}


@settings(max_examples=30, deadline=None)
@given(counts=st.lists(st.integers(0, 4), min_size=3, max_size=30), seed=st.integers(0, 1000), val=st.floats(0.05, 0.6))
def test_every_patient_is_in_one_split_and_no_split_is_empty(counts: list[int], seed: int, val: float) -> None:
    fractions = {"train": 0.9 - val, "val": val, "test": 0.1}
    sizes = Counter(splits(split_by_patient(patients_with(counts), fractions, seed)).values())
    assert set(sizes) == set(fractions)
    assert sizes.total() == len(counts)
    for name, share in fractions.items():
        assert abs(sizes[name] - share * len(counts)) <= 2


def test_a_split_depends_on_its_seed_and_not_on_the_order_of_rows() -> None:
    labelset = patients_with([n % 7 for n in range(40)])
    turned = dataclasses.replace(
        labelset, captures=labelset.captures[::-1], labels=labelset.labels[::-1], objects=labelset.objects[::-1]
    )
    fractions = {"train": 0.8, "val": 0.2}
    first = splits(split_by_patient(labelset, fractions, 0))
    assert splits(split_by_patient(turned, fractions, 0)) == first
    assert splits(split_by_patient(labelset, fractions, 1)) != first


def test_a_fifth_of_197_people_is_39() -> None:
    labelset = patients_with([n % 5 for n in range(197)], captures_each=1)
    assert Counter(splits(split_by_patient(labelset, {"train": 0.8, "val": 0.2}, 0)).values())["val"] == 39


def test_a_rare_sign_and_the_density_are_spread_evenly() -> None:
    labelset = patients_with([n // 2 for n in range(50)], rare=frozenset(range(0, 50, 5)), captures_each=1)
    total = sum(n // 2 for n in range(50))
    for seed in range(20):
        done = split_by_patient(labelset, {"train": 0.8, "val": 0.2}, seed)
        val = {row.file for row in done.captures if row.split == "val"}
        rare = sum(row.file in val and row.sign == "pigtail_hair" and row.value == 1 for row in done.labels)
        assert 1 <= rare <= 3
        assert 0.14 < sum(marked.file in val for marked in done.objects) / total < 0.26


def test_too_few_patients_are_refused_with_the_reason() -> None:
    with pytest.raises(InputError, match="1 patients cannot be shared among 2 splits"):
        split_by_patient(patients_with([3]), {"train": 0.8, "val": 0.2}, 0)
    assert set(splits(split_by_patient(patients_with([3, 3]), {"train": 0.8, "val": 0.2}, 0)).values()) == {
        "train",
        "val",
    }


@pytest.mark.parametrize(
    "fractions", [{}, {"train": 0.5, "val": 0.4}, {"train": 1.2, "val": -0.2}, {"train": 1.0, "val": 0.0}]
)
def test_shares_that_are_no_shares_are_refused(fractions: dict[str, float]) -> None:
    with pytest.raises(InputError, match="add to 1"):
        split_by_patient(patients_with([1, 2, 3]), fractions, 0)


def context(name: str, parent: str | None = None) -> Sign:
    return Sign(name, name, name, "", role="context", parent=parent)


SIGNS = SIGN | {sign.name: sign for sign in (context("any"), context("hair", "any"), context("dot", "any"),
                                             context("thick", "hair"), context("thin", "hair"))}  # fmt: skip


def hair_set(levels: dict[str, str], rater: str = "") -> LabelSet:
    labels = tuple(LabelRow("a.jpg", sign, level, rater=rater) for sign, level in levels.items())
    objects = tuple(
        ObjectRow(f"{n}", "a.jpg", sign, n, n, tip_x=n, tip_y=0, rater=rater)
        for n, sign in enumerate(levels)
        if levels[sign] != "count"
    )
    return LabelSet(Path(), (CaptureRow("a.jpg", "1"),), labels, objects, SIGNS)


def test_a_parent_is_labelled_where_all_its_children_are() -> None:
    done = with_parents(hair_set({"thick": "exhaustive", "thin": "exhaustive"}, rater="bob"))
    assert [(row.sign, row.level, row.rater) for row in done.labels[2:]] == [("hair", "exhaustive", "bob")]
    assert [(o.id, o.sign, o.x, o.tip_x, o.rater) for o in done.objects[2:]] == [
        ("0/hair", "hair", 0, 0, "bob"),
        ("1/hair", "hair", 1, 1, "bob"),
    ]
    assert with_parents(done) == done


@pytest.mark.parametrize("level", ["partial", "count", None])
def test_a_parent_stays_unknown_where_a_child_is_not_exhaustive(level: str | None) -> None:
    labelset = hair_set({"thick": "exhaustive"} | ({"thin": level} if level else {}))
    assert with_parents(labelset) == labelset


def test_a_parent_with_a_row_of_its_own_is_left_alone() -> None:
    labelset = hair_set({"thick": "exhaustive", "thin": "exhaustive", "hair": "partial"})
    assert with_parents(labelset) == labelset


def test_children_of_two_raters_do_not_make_a_parent() -> None:
    first, second = hair_set({"thick": "exhaustive"}), hair_set({"thin": "exhaustive"}, rater="bob")
    both = dataclasses.replace(first, labels=first.labels + second.labels, objects=first.objects + second.objects)
    assert with_parents(both) == both


def test_parents_of_parents_follow() -> None:
    done = with_parents(hair_set({"thick": "exhaustive", "thin": "exhaustive", "dot": "exhaustive"}))
    assert Counter(o.sign for o in done.objects) == {"thick": 1, "thin": 1, "dot": 1, "hair": 2, "any": 3}
    assert len({o.id for o in done.objects}) == len(done.objects)


def test_a_summary_counts_each_level_and_what_is_unknown() -> None:
    labelset = patients_with([1, 2, 3], rare=frozenset({0}))
    labelset = dataclasses.replace(labelset, labels=labelset.labels[:-1])
    summary = summarise(labelset)
    assert (summary.captures, summary.patients, summary.um_per_px) == ({"": 6}, {"": 3}, None)
    dots, pigtails = summary.signs
    assert (dots.sign, dots.levels, dots.objects, dots.unlabelled) == ("black_dot", {"exhaustive": 6}, 12, 0)
    assert (pigtails.levels, pigtails.present, pigtails.unlabelled) == ({"presence": 5}, 2, 1)
