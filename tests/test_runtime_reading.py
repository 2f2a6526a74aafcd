"""A reading written as JSON is read back whole, or refused in a sentence."""

from __future__ import annotations

import json

import pytest

from trichotrack.capture import Quality
from trichotrack.geometry import Scale
from trichotrack.labels.rows import PREPARATIONS
from trichotrack.problems import InputError, Problem
from trichotrack.runtime import tables
from trichotrack.runtime.reading import MarkedObject, ModelRef, Reading, SignReading
from trichotrack.signs import REFUSED_BY_PREPARATION, SIGN

READING = Reading(
    file="a.jpg", sha256="ab", width=1280, height=1024, scale=Scale(2.82, "option"), area_cm2=0.104,
    quality=Quality(ok=False, flags=("glare: 4% of the picture is white",)), author="model", software="trichotrack 0",
    signs={
        "black_dot": SignReading("counted", None, 3, 3.1, (2, 5), 28.8, 0.98),
        "short_vellus_hair": SignReading("refused", "2.1 px per 30 µm short vellus hair; 3 needed"),
    },
    objects=(
        MarkedObject("1", "black_dot", 12.3, 40.1, score=0.91),
        MarkedObject("2", "broken_hair", 1, 2, 3, 4, 70.0),
    ),
    model=ModelRef("m", "cd", 1, validated=False, notice="not validated on patients."), warnings=("a warning",),
)  # fmt: skip


def test_a_reading_survives_json() -> None:
    assert Reading.from_json(READING.to_json()) == READING


def test_json_has_the_shape_that_others_read() -> None:
    raw = json.loads(READING.to_json())
    assert raw["schema"] == "trichotrack.reading/1"
    assert raw["quality"] == {"ok": False, "flags": ["glare: 4% of the picture is white"]}
    assert raw["signs"]["black_dot"] == {
        "status": "counted", "reason": None, "count": 3, "estimate": 3.1, "reader_interval": [2, 5],
        "density_per_cm2": 28.8, "presence": 0.98,
    }  # fmt: skip
    assert raw["objects"][0]["tip_x"] is None
    assert raw["corrects"] is None


@pytest.mark.parametrize(
    "change",
    [{"schema": "other/1"}, {"signs": []}, {"signs": {"black_dot": 3}}, {"quality": None}, {"quality": {"ok": True}},
     {"scale": {"um_per_px": 2}}, {"scale": {"um_per_px": -2, "source": "option"}}, {"objects": [{"id": "1"}]},
     {"model": "m"}, {"more": 1}],
)  # fmt: skip
def test_what_is_no_reading_is_refused_in_a_sentence(change: dict[str, object]) -> None:
    raw = json.loads(READING.to_json()) | change
    with pytest.raises(InputError):
        Reading.from_json(json.dumps(raw))


@pytest.mark.parametrize("text", ["", "[]", "{", "3", '"text"'])
def test_text_that_is_no_reading_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="not a reading"):
        Reading.from_json(text)


def test_tables_hold_a_row_for_each_sign_and_object_and_as_many_cells_as_columns() -> None:
    readings, objects = list(tables.reading_rows([READING])), list(tables.object_rows([READING]))
    assert {len(row) for row in readings} == {len(tables.READING_COLUMNS)}
    assert {len(row) for row in objects} == {len(tables.OBJECT_COLUMNS)}
    counted, refused = (dict(zip(tables.READING_COLUMNS, row, strict=True)) for row in readings)
    assert (counted["count"], counted["reader_low"], counted["reader_high"], counted["reason"]) == (3, 2, 5, None)
    assert refused["reason"] == "2.1 px per 30 µm short vellus hair; 3 needed"
    numbers = ("count", "estimate", "reader_low", "reader_high", "density_per_cm2", "presence")
    assert all(refused[column] is None for column in numbers)
    assert dict(zip(tables.OBJECT_COLUMNS, objects[1], strict=True))["tip_y"] == 4
    assert list(tables.problem_rows([Problem("a.jpg", "is empty", "Copy it.")])) == [("a.jpg", "is empty", "Copy it.")]


def test_refusals_know_every_preparation_and_name_only_known_signs() -> None:
    assert set(REFUSED_BY_PREPARATION) == set(PREPARATIONS)
    assert all(refused <= set(SIGN) for refused, _ in REFUSED_BY_PREPARATION.values())
