"""Readers of the same captures compared: who is a reader, what is matched, what is refused and why."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from trichotrack.cli.labels import labels_app
from trichotrack.evaluate.agreement import ANY_HAIR, ANY_STRUCTURE, agree
from trichotrack.evaluate.readers import readers_of
from trichotrack.labels.patients import FILE, PATIENT_SOURCE, UNKNOWN_PATIENTS
from trichotrack.labels.tables import CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.labels.write import write_labels
from trichotrack.problems import InputError
from trichotrack.signs import SIGN
from trichotrack.stats.agreement import icc

SIGNS = ("black_dot", "broken_hair", "terminal_hair")
Marked = tuple[str, float, float]


def of(
    marks: dict[str, dict[str, list[Marked]]],
    *,
    folder: str = "set",
    signs: tuple[str, ...] = SIGNS,
    um_per_px: float | None = 10.0,
    patient_of=lambda file: file,
) -> LabelSet:
    """A set from marks by rater and file; every sign exhaustive by every rater in the files that the rater has."""
    files = sorted({file for by_file in marks.values() for file in by_file})
    labels = [
        LabelRow(f, sign, "exhaustive", rater=r) for r, by_file in marks.items() for f in by_file for sign in signs
    ]
    objects = [
        ObjectRow(f"{rater}-{file}-{i}", file, sign, x, y, rater=rater)
        for rater, by_file in marks.items()
        for file, of_file in by_file.items()
        for i, (sign, x, y) in enumerate(of_file)
    ]
    captures = tuple(CaptureRow(file, patient_of(file), um_per_px=um_per_px) for file in files)
    return LabelSet(Path(folder), captures, tuple(labels), tuple(objects))


def row(result, sign, pair=0):
    return next(one for one in result.pairs[pair].signs if one.sign == sign)


ANNA = {
    "a.png": [("black_dot", 10, 10), ("broken_hair", 50, 50), ("terminal_hair", 90, 90)],
    "b.png": [("black_dot", 10, 10)],
    "c.png": [],
}
BEN = {
    "a.png": [("black_dot", 12, 10), ("terminal_hair", 50, 52), ("terminal_hair", 90, 106)],
    "b.png": [("black_dot", 10, 10), ("black_dot", 40, 40)],
    "c.png": [("broken_hair", 5, 5)],
}


def test_marks_are_matched_by_place_whatever_sign_they_were_called():
    result = agree(readers_of([of({"anna": ANNA, "ben": BEN})]), tolerance_mm=0.15)  # 15 px
    whole = row(result, ANY_STRUCTURE)
    # Dots at 2 and 0 px and the hair that they name otherwise match; 16 px is too far.
    assert (whole.first, whole.second, whole.matched) == (4, 6, 3)
    assert whole.f1.value == pytest.approx(2 * 3 / 10)
    assert row(result, ANY_HAIR).matched == 1
    assert row(result, "broken_hair").matched == 0
    assert whole.count_mae.value == pytest.approx(2 / 3)
    assert whole.limits.bias.value == pytest.approx(2 / 3)
    classes = result.pairs[0].classes
    assert classes.signs == ("black_dot", "broken_hair", "terminal_hair")
    assert classes.table == ((2, 0, 0), (0, 0, 1), (0, 0, 0))
    assert classes.agreement.value == pytest.approx(2 / 3)
    assert classes.kappa.value == pytest.approx((2 / 3 - 4 / 9) / (1 - 4 / 9))


def test_the_tolerance_is_in_mm_of_each_capture():
    for um_per_px, matched in ((10.0, 3), (5.0, 4), (100.0, 1)):  # within 15, 30 and 1.5 px
        found = agree(readers_of([of({"anna": ANNA, "ben": BEN}, um_per_px=um_per_px)]), tolerance_mm=0.15)
        assert row(found, ANY_STRUCTURE).matched == matched


def test_which_reader_comes_first_changes_the_sign_of_the_bias_alone():
    readings = readers_of([of({"anna": ANNA, "ben": BEN})])
    there = row(agree(readings), ANY_STRUCTURE)
    back = row(agree(readers_of([of({"anna": ANNA, "ben": BEN})], ["ben", "anna"])), ANY_STRUCTURE)
    assert back.limits.bias.value == -there.limits.bias.value
    assert back.limits.upper.value == pytest.approx(-there.limits.lower.value)
    for name in ("f1", "count_mae", "icc"):
        ends = [dataclasses.astuple(getattr(one, name)) for one in (there, back)]
        assert ends[0] == pytest.approx(ends[1])


def test_a_mark_on_an_ignored_sign_of_the_other_is_neither_right_nor_wrong():
    anna = {"a.png": [("black_dot", 10, 10), ("broken_hair", 50, 50)], "b.png": [("black_dot", 10, 10)]}
    ben = {"a.png": [("black_dot", 10, 10), ("terminal_hair", 50, 50)], "b.png": []}
    readings = readers_of([of({"anna": anna, "ben": ben})])
    counted = row(agree(readings), "broken_hair")
    excused = row(agree(readings, ignored_signs=["terminal_hair"]), "broken_hair")
    assert (counted.f1.value, excused.f1.value) == (0.0, None)  # none is false or missed any more
    assert excused.first == 1  # a count stays what was counted
    whole = row(agree(readings, ignored_signs=["terminal_hair"]), ANY_STRUCTURE)
    assert whole.f1.value == pytest.approx(2 / 3)  # the dot in b.png alone is missed


def test_folders_are_readers_where_raters_are_blank_and_captures_bear_the_same_names():
    first, second = of({"": ANNA}, folder="anna"), of({"": BEN}, folder="ben")
    apart = agree(readers_of([first, second]))
    assert apart.readers == ("anna", "ben")
    assert apart.pairs[0].signs == agree(readers_of([of({"anna": ANNA, "ben": BEN})])).pairs[0].signs


def test_a_blank_rater_of_one_folder_is_the_reference_and_captures_of_one_reader_are_passed_over():
    ben = {file: marks for file, marks in BEN.items() if file != "c.png"}
    result = agree(readers_of([of({"": ANNA, "ben": ben})]))
    assert result.readers == ("reference", "ben")
    assert (result.pairs[0].captures, result.pairs[0].one_only) == (2, 1)


def test_counts_alone_are_compared_as_counts():
    captures = tuple(CaptureRow(f"{i}.png", f"P{i}") for i in range(4))
    labels = tuple(
        LabelRow(f"{i}.png", "black_dot", "count", value, rater=rater)
        for rater, values in (("anna", (3, 5, 9, 1)), ("ben", (4, 5, 7, 1)))
        for i, value in enumerate(values)
    )
    result = agree(readers_of([LabelSet(Path("set"), captures, labels, ())]))
    found = row(result, "black_dot")
    assert (found.located, found.f1.value) == (0, None)
    assert found.count_mae.value == pytest.approx(0.75)
    assert found.icc.value == pytest.approx(0.93, abs=0.03)
    assert "no capture with a scale" in found.refused["f1"]
    assert "fewer than two signs" in result.pairs[0].refused


def test_three_readers_are_compared_by_pairs_and_all_together():
    cleo = {file: [*marks, ("black_dot", 200, 200)] for file, marks in ANNA.items()}
    result = agree(readers_of([of({"anna": ANNA, "ben": BEN, "cleo": cleo})]))
    assert [(pair.first, pair.second) for pair in result.pairs] == [("anna", "ben"), ("anna", "cleo"), ("ben", "cleo")]
    together = {one.sign: one for one in result.together}
    counts = np.array([[3, 3, 4], [1, 2, 2], [0, 1, 1]])
    assert together[ANY_STRUCTURE].icc.value == pytest.approx(icc(counts).value)
    # Two who always differ by one have no limits, and the figure says why; the others stand.
    assert "differ by 1 in each of 3 captures" in row(result, ANY_STRUCTURE, pair=1).refused["limits"]
    assert row(result, ANY_STRUCTURE, pair=1).icc is not None


def test_counts_that_never_vary_have_no_icc_and_the_reason_is_given():
    same = {file: [("black_dot", 10, 10)] for file in ANNA}
    found = row(agree(readers_of([of({"anna": same, "ben": same})])), "black_dot")
    assert found.icc is None
    assert "all 6 counts are 1" in found.refused["icc"]
    assert found.f1.value == 1


def test_one_patient_gives_no_interval():
    result = agree(readers_of([of({"anna": ANNA, "ben": BEN}, patient_of=lambda _: "P1")]))
    found = row(result, ANY_STRUCTURE)
    figures = (found.f1, found.icc, found.limits.bias, found.limits.upper, result.pairs[0].classes.kappa)
    assert [(one.low, one.high) for one in figures] == [(None, None)] * 5
    assert all(one.value is not None for one in figures)


def test_several_captures_a_patient_never_make_an_interval_narrower():
    rng = np.random.default_rng(2)
    dots = [("black_dot", 20.0 * i, 5.0) for i in range(40)]
    files = [f"{p}_{i}.png" for p in range(8) for i in range(4)]
    lean = {file: int(rng.integers(0, 6)) for file in {f[0] for f in files}}
    numbers = {file: int(rng.integers(5, 25)) for file in files}
    anna = {file: dots[: numbers[file]] for file in files}
    ben = {file: dots[: numbers[file] + lean[file[0]]] for file in files}  # how they differ is a matter of the patient
    alone = row(agree(readers_of([of({"anna": anna, "ben": ben})])), "black_dot")
    grouped = row(agree(readers_of([of({"anna": anna, "ben": ben}, patient_of=lambda f: f[0])])), "black_dot")
    for narrow, wide in ((alone.icc, grouped.icc), (alone.limits.bias, grouped.limits.bias)):
        assert wide.value == narrow.value
        assert wide.low <= narrow.low
        assert wide.high >= narrow.high
    assert grouped.limits.bias.high - grouped.limits.bias.low > 1.3 * (alone.limits.bias.high - alone.limits.bias.low)


def test_the_interval_of_the_bias_covers_it_where_readers_differ_by_patient():
    rng = np.random.default_rng(4)
    inside = []
    for _ in range(150):
        counts = rng.poisson(12, (25, 3))
        lean = rng.integers(0, 5, 25)  # mean 2
        files = {f"{p}_{i}.png": (p, i) for p in range(25) for i in range(3)}
        labels = tuple(
            LabelRow(file, "black_dot", "count", counts[p, i] + (lean[p] if rater == "ben" else 0), rater=rater)
            for rater in ("anna", "ben")
            for file, (p, i) in files.items()
        )
        captures = tuple(CaptureRow(file, str(p)) for file, (p, _) in files.items())
        result = agree(readers_of([LabelSet(Path("set"), captures, labels, ())]), resamples=300)
        bias = row(result, "black_dot").limits.bias
        inside.append(bias.low <= 2 <= bias.high)
    assert 0.89 <= np.mean(inside) <= 0.99  # s.e. 0.018; by captures alone it is about 0.75


@pytest.mark.parametrize(
    ("sets", "wanted", "reason"),
    [
        ([of({"": ANNA})], (), "1 reader in set .reference.; agreement needs two"),
        ([of({"anna": ANNA, "ben": BEN})], ("anna", "dan"), "dan read none of it"),
        ([of({"": ANNA}), of({"": BEN}, folder="ben", um_per_px=9.0)], (), "a.png has 10.0 in the other folder"),
        ([of({"": ANNA}), of({"": BEN}, folder="b", patient_of=lambda _: "P")], (), "has 'a.png' in the other"),
    ],
)
def test_readers_that_cannot_be_compared_are_refused(sets, wanted, reason):
    with pytest.raises(InputError, match=reason):
        readers_of(sets, wanted)


def test_readers_of_other_captures_are_refused_with_the_reason():
    ben = {"z.png": BEN["a.png"]}
    with pytest.raises(InputError, match="no sign was labelled exhaustively or by count by both"):
        agree(readers_of([of({"anna": ANNA, "ben": ben})]))
    with pytest.raises(InputError, match="black_dot: 1 captures read by both, 2 needed"):
        agree(readers_of([of({"anna": ANNA, "ben": {"a.png": BEN["a.png"]}})]))
    with pytest.raises(InputError, match="no such sign"):
        agree(readers_of([of({"anna": ANNA, "ben": BEN})]), signs=["white_dot"])


def test_what_is_left_out_of_a_comparison_is_told() -> None:
    dan = {"z.png": ANNA["a.png"], "a.png": ANNA["a.png"]}
    result = agree(readers_of([of({"anna": ANNA, "ben": BEN, "dan": dan})]))
    assert len(result.pairs) == 1
    assert [reason.partition(":")[0] for reason in result.refused] == ["anna and dan", "ben and dan"]
    some = of({"anna": ANNA, "ben": BEN})
    labels = tuple(row for row in some.labels if (row.sign, row.rater) != ("broken_hair", "ben"))
    objects = tuple(row for row in some.objects if (row.sign, row.rater) != ("broken_hair", "ben"))
    without = readers_of([dataclasses.replace(some, labels=labels, objects=objects)])
    result = agree(without, signs=["black_dot", "broken_hair"])
    assert result.pairs[0].left_out == ("broken_hair: 0 captures read by both, 2 needed",)


def test_the_command_prints_every_figure_and_writes_it(tmp_path):
    for name, marks in (("anna", ANNA), ("ben", BEN)):
        write_labels(of({name: marks}), tmp_path / name)
    done = CliRunner().invoke(
        labels_app, ["agree", str(tmp_path / "anna"), str(tmp_path / "ben"), "--out", str(tmp_path / "o")]
    )
    assert done.exit_code == 0, done.output
    assert "anna and ben: 3 captures of 3 patients" in done.output
    assert "Same class: 0.667" in done.output
    written = json.loads((tmp_path / "o" / "agreement.json").read_text(encoding="utf-8"))
    assert written["schema"] == "trichotrack.agreement/1"
    assert {one["sign"] for one in written["pairs"][0]["signs"]} == {*SIGNS, ANY_STRUCTURE, ANY_HAIR}
    assert set(SIGNS) < set(SIGN)


def test_where_patients_are_unknown_every_agreement_says_so(tmp_path: Path) -> None:
    both = of({"anna": ANNA, "ben": BEN})
    assert agree(readers_of([both])).patients_notice == ""
    unknown = [replace(capture, extra={PATIENT_SOURCE: FILE}) for capture in both.captures]
    write_labels(replace(both, captures=tuple(unknown)), tmp_path / "set")
    done = CliRunner().invoke(labels_app, ["agree", str(tmp_path / "set"), "--out", str(tmp_path / "o")])
    assert f"P{UNKNOWN_PATIENTS[1:]}." in " ".join(done.output.split())
    written = json.loads((tmp_path / "o" / "agreement.json").read_text(encoding="utf-8"))
    assert written["patients_notice"] == UNKNOWN_PATIENTS


def test_three_raters_of_one_folder_are_printed_by_pairs_and_together(tmp_path: Path) -> None:
    cleo = {file: [*marks, ("black_dot", 200, 200)] for file, marks in ANNA.items()}
    write_labels(of({"": ANNA, "ben": BEN, "cleo": cleo}), tmp_path)
    done = CliRunner().invoke(labels_app, ["agree", str(tmp_path)])
    assert done.exit_code == 0, done.output
    for told in ("reference and ben", "ben and cleo", "All 3 readers together", "no limits of agreement, since"):
        assert told in " ".join(done.output.split())
    only = CliRunner().invoke(labels_app, ["agree", str(tmp_path), "--readers", "cleo, ben", "--sign", "black_dot"])
    assert "cleo and ben" in only.output
    assert "reference" not in only.output


REAL = Path(__file__).resolve().parents[2] / "shared" / "datasets" / "hair-follicles-70x"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real set is not beside this checkout")
def test_the_second_readings_of_the_real_set_agree_as_its_page_says(tmp_path):
    root = Path(__file__).resolve().parents[1]
    for name in ("Annotations", "Annotations_second_reader"):
        done = CliRunner().invoke(
            labels_app,
            ["import", "voc", str(REAL / name), "--images", str(REAL / "Images"), "--vectors", "--um-per-px", "2.82",
             "--map", str(root / "configs" / "hair_roots_70x.map.yaml"), "--pattern", "{patient}_{n}",
             "--out", str(tmp_path / name)],
        )  # fmt: skip
        assert done.exit_code == 0, done.output
    folders = [str(tmp_path / name) for name in ("Annotations", "Annotations_second_reader")]
    done = CliRunner().invoke(labels_app, ["agree", *folders, "--tolerance-mm", "0.113", "--json"])
    pair = json.loads(done.output)["pairs"][0]
    whole = next(one for one in pair["signs"] if one["sign"] == ANY_STRUCTURE)
    assert (pair["captures"], pair["patients"], pair["one_only"]) == (24, 6, 764)
    assert whole["f1"]["value"] == pytest.approx(0.922, abs=5e-4)
    assert whole["count_mae"]["value"] == pytest.approx(1.21, abs=5e-3)
    assert pair["classes"]["agreement"]["value"] == pytest.approx(0.942, abs=5e-4)
