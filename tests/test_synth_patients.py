"""Synthetic patients, labelled folders and the demonstration data: consistent over visits, and read back as written."""

import csv
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from trichotrack.cli.synth import PatientCourse, parse_size, synth_app
from trichotrack.labels.check import check_labels
from trichotrack.labels.read import read_labels
from trichotrack.problems import InputError
from trichotrack.signs import SIGN
from trichotrack.synth import demo, sheet
from trichotrack.synth.draw import draw_person
from trichotrack.synth.patients import ACTIVE, Course, ages_at, draw_field, scalp_at, signs_at
from trichotrack.synth.priors import CameraPriors, OverlayPriors, Priors, ScalpPriors
from trichotrack.synth.scalp import YELLOW_DOT, Scalp, Structure
from trichotrack.synth.write import NOTICE, Series, write_series

DEMO = Path(__file__).parents[1] / "data" / "demo" / "patient"
COURSE = Course((0.2, 0.2, 0.1, 0.1, 0.0, 0.4))


RELAPSE = replace(COURSE, relapsing=0.8)


def field(seed: int = 0, radius_um: float = 6000.0, course: Course = COURSE):
    rng = np.random.default_rng(seed)
    return draw_field(rng, radius_um, Priors(), draw_person(rng, Priors()), course)


def share(signs: list[str], of: tuple[str, ...]) -> float:
    return sum(sign in of for sign in signs) / len(signs)


def test_active_signs_fall_vellus_rises_then_falls_and_terminal_rises():
    place = field()
    courses = [signs_at(place, weeks) for weeks in (0, 8, 16, 40)]
    active = [share(signs, ACTIVE) for signs in courses]
    vellus = [share(signs, ("short_vellus_hair",)) for signs in courses]
    terminal = [share(signs, ("terminal_hair",)) for signs in courses]
    assert active == sorted(active, reverse=True)
    assert active[-1] < 0.25 * active[0]
    assert vellus[0] < vellus[1]
    assert vellus[3] < vellus[1]
    assert terminal == sorted(terminal)
    assert terminal[0] == 0 < terminal[-1]


def test_a_follicle_that_never_responds_stays_as_it_was():
    place = field()
    never = np.isinf(place.turns_weeks[:, 0])
    assert 0 < never.mean() < 0.25
    last = signs_at(place, 500.0)
    assert all(now == then for now, then, stays in zip(last, place.baseline, never, strict=True) if stays)


def hair_by_follicle(scalp: Scalp) -> dict[int, Structure]:
    hairs = [s for s in scalp.structures if s.follicle >= 0 and s.sign != YELLOW_DOT]
    assert len({s.follicle for s in hairs}) == len(hairs) == len({s.id for s in hairs})
    return {s.follicle: s for s in hairs}


def test_a_follicle_keeps_its_place_and_while_it_shows_the_same_sign_its_hair():
    place = field(radius_um=3000.0)
    before, after = (hair_by_follicle(scalp_at(place, w, np.random.default_rng(w))) for w in (0, 8))
    both = before.keys() & after.keys()
    assert len(both) > 10
    assert all(np.array_equal(before[name].root_um, after[name].root_um) for name in both)
    same = [name for name in both if before[name].sign == after[name].sign]
    assert same
    assert len(same) < len(both)
    assert all(np.array_equal(before[name].path_um, after[name].path_um) for name in same)
    assert all(before[name].id == after[name].id for name in same)


def test_a_hair_keeps_its_id_as_it_grows_and_what_follows_a_destroyed_one_has_another():
    place = field()
    seen = [hair_by_follicle(scalp_at(place, weeks, np.random.default_rng(0))) for weeks in (0, 10, 20)]
    grew = replaced = 0
    for before, after in pairwise(seen):
        for name in before.keys() & after.keys():
            old, new = before[name], after[name]
            destroyed = old.sign in ACTIVE
            assert (old.id == new.id) == (not destroyed or old.sign == new.sign)
            replaced += destroyed and old.sign != new.sign
            if not destroyed and old.sign == new.sign:
                assert new.length_um >= old.length_um - 1e-6
                grew += new.length_um > old.length_um + 1.0
    assert grew > 10
    assert replaced > 10


def test_in_a_relapse_active_signs_fall_and_then_rise_and_terminal_hair_goes():
    place = field(course=RELAPSE)
    courses = [signs_at(place, weeks) for weeks in (0, 8, 16, 28)]
    active = [share(signs, ACTIVE) for signs in courses]
    terminal = [share(signs, ("terminal_hair",)) for signs in courses]
    assert active[0] > 2 * active[1]
    assert active[1] > active[2]
    assert active[3] > 3 * active[2]
    assert terminal[2] > 2 * terminal[3]
    assert {sign for _, sign in place.relapses.values()} >= {*ACTIVE}


def test_a_follicle_that_bears_no_terminal_hair_by_then_leaves_no_active_sign_and_stays_as_thin():
    place, healing = field(course=RELAPSE), field()
    stayed = np.isinf(place.turns_weeks[:, 1]) & np.isfinite(healing.turns_weeks[:, 1])
    assert stayed.any()
    last = signs_at(place, 500.0)
    thin = ("short_vellus_hair", "upright_regrowing_hair", "pigtail_hair")
    assert all(last[number] in thin for number in np.flatnonzero(stayed))
    assert not {*np.flatnonzero(stayed)} & {*place.relapses}


def test_what_a_relapse_left_is_as_old_as_the_relapse():
    place = field(course=RELAPSE)
    ages = ages_at(place, 30.0)
    come = {number: week for number, (week, _) in place.relapses.items() if week <= 30.0}
    assert len(come) > 10
    assert all(ages[number] == pytest.approx(30.0 - week) for number, week in come.items())
    # Also where it shows what the follicle showed at the first visit: that was another hair.
    assert any(place.baseline[number] == place.relapses[number][1] for number in come)


def test_the_same_sign_after_a_relapse_is_another_hair():
    place = field(course=RELAPSE)
    first, last = (hair_by_follicle(scalp_at(place, weeks, np.random.default_rng(0))) for weeks in (0, 60))
    again = [n for n in place.relapses if n in first and n in last and first[n].sign == last[n].sign in ACTIVE[1:]]
    assert again
    for number in again:
        assert first[number].id != last[number].id
        assert not np.array_equal(first[number].path_um, last[number].path_um)


@pytest.fixture(scope="module")
def series_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("synth") / "set"
    series = Series(7, 2, ((256, 192),), (5.7, 6.0), splits=(("train", 0.75), ("test", 0.25)))
    write_series(folder, series, seed=1)
    return folder


def test_a_written_series_has_no_problem_and_is_read_back_whole(series_folder: Path):
    assert check_labels(series_folder).errors == ()
    labelset = read_labels(series_folder)
    assert len(labelset.captures) == 7
    assert {label.level for label in labelset.labels} == {"exhaustive"}
    assert {label.sign for label in labelset.labels} == {*SIGN, "intermediate_hair"}
    assert len(labelset.labels) == 7 * 9
    assert labelset.signs["intermediate_hair"].role == "context"
    assert all(5.7 <= capture.um_per_px <= 6.0 for capture in labelset.captures)


def test_a_mask_is_written_where_a_capture_is_not_all_scalp_and_only_there(tmp_path: Path):
    priors = Priors(camera=CameraPriors(overlays=OverlayPriors(overlay_chance=0.7, strip_chance=1.0)))
    write_series(tmp_path / "set", Series(8, 2, ((192, 160),)), seed=3, priors=priors)
    assert check_labels(tmp_path / "set").errors == ()
    captures = read_labels(tmp_path / "set").captures
    masks = [capture.valid_area for capture in captures if capture.valid_area]
    assert 0 < len(masks) < len(captures)
    assert sorted(masks) == sorted(p.relative_to(tmp_path / "set").as_posix() for p in tmp_path.glob("set/masks/*"))
    for mask in masks:
        with Image.open(tmp_path / "set" / mask) as image:
            assert 0.2 < np.asarray(image.convert("L")).mean() / 255 < 1


def test_a_clipped_capture_says_nothing_of_signs_that_clipping_hides(tmp_path: Path):
    write_series(tmp_path / "set", Series(2, 1, ((192, 160),)), 0, priors=Priors(scalp=ScalpPriors(clipped_chance=1.0)))
    labelset = read_labels(tmp_path / "set")
    assert {capture.preparation for capture in labelset.captures} == {"clipped"}
    told = {label.sign for label in labelset.labels}
    assert told == {*SIGN, "intermediate_hair"} - {"broken_hair", "upright_regrowing_hair", "pigtail_hair"}
    # Black dots and tapering hairs are told there: there are none.
    assert {item.sign for item in labelset.objects} <= told - {"black_dot", "tapering_hair"}


def test_captures_of_a_synthetic_person_share_scale_and_split(series_folder: Path):
    of: dict[str, set[tuple[float | None, str]]] = {}
    for capture in read_labels(series_folder).captures:
        of.setdefault(capture.patient, set()).add((capture.um_per_px, capture.split))
    assert len(of) == 4
    assert all(len(values) == 1 for values in of.values())
    assert sorted(split for values in of.values() for _, split in values) == ["test", "train", "train", "train"]


def test_every_picture_says_that_it_is_synthetic(series_folder: Path):
    for path in series_folder.glob("images/*.jpg"):
        with Image.open(path) as image:
            assert image.info["comment"].decode() == NOTICE


def test_the_same_seed_writes_the_same_files(series_folder: Path, tmp_path: Path):
    write_series(tmp_path / "again", Series(7, 2, ((256, 192),), (5.7, 6.0), (("train", 0.75), ("test", 0.25))), seed=1)
    for path in series_folder.rglob("*.*"):
        assert path.read_bytes() == (tmp_path / "again" / path.relative_to(series_folder)).read_bytes()


def test_a_folder_with_something_in_it_is_refused(series_folder: Path):
    with pytest.raises(InputError, match="not empty"):
        write_series(series_folder, Series(1), seed=0)


@pytest.fixture(scope="module", params=sorted(demo.SCENARIOS))
def patient_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo") / request.param
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(demo, "SIZE_PX", (384, 288))
        demo.write_patient(folder, seed=0, course=request.param)
    return folder


def test_a_patient_has_four_visits_of_two_sites_and_three_fields_one_of_them_repeated(patient_folder: Path):
    assert check_labels(patient_folder).errors == ()
    names = {path.name for path in (patient_folder / "2026-01-12").iterdir()}
    sites = ("vertex", "occipital")
    assert names == {f"{site}_{rest}.jpg" for site in sites for rest in ("1_1", "1_2", "2_1", "3_1")}
    assert sorted(p.name for p in patient_folder.iterdir() if p.is_dir()) == [str(date) for date in demo.VISITS]


def test_structures_correspond_one_to_one_between_captures_of_a_field(patient_folder: Path):
    follicles: dict[str, list[str]] = {}
    for item in read_labels(patient_folder).objects:
        follicles.setdefault(item.file, []).append(item.id.rpartition("-")[2])
    assert all(len(ids) == len(set(ids)) for ids in follicles.values())
    one, two = (set(follicles[f"2026-07-27/vertex_1_{repeat}.jpg"]) for repeat in (1, 2))
    assert len(one & two) >= 0.4 * min(len(one), len(two))
    assert not one & set(follicles["2026-07-27/vertex_2_1.jpg"])


def test_the_table_of_correspondence_names_every_object_once_and_its_follicle(patient_folder: Path):
    with (patient_folder / "correspondence.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    objects = {item.id: item for item in read_labels(patient_folder).objects}
    assert sorted(row["id"] for row in rows) == sorted(objects)
    assert all((row["file"], row["sign"]) == (objects[row["id"]].file, objects[row["id"]].sign) for row in rows)
    # Within a capture a structure is there once; wherever it is seen again it grows from the same follicle.
    same: dict[tuple[str, ...], set[str]] = {}
    for row in rows:
        same.setdefault((row["site"], row["field"], row["structure"]), set()).add(row["follicle"])
    assert len({(row["file"], row["structure"]) for row in rows}) == len(rows)
    assert all(len(seen) == 1 for seen in same.values())
    assert len(same) < len(rows)


def test_salt_totals_are_the_weighted_regions_from_totalis_on(patient_folder: Path):
    with (patient_folder / "salt.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        total = sum(float(row[region]) * weight for region, weight in demo.SALT_WEIGHTS.items())
        assert float(row["total"]) == pytest.approx(total, abs=0.01)
    assert float(rows[0]["total"]) == 100
    totals = [float(row["total"]) for row in rows]
    if patient_folder.name == "response":
        assert totals[-2:] == [0, 0]
    elif patient_folder.name == "no-response":
        assert {*totals} == {100}
    else:
        assert totals[-3] == min(totals) < totals[-2] < totals[-1]


def test_the_truth_of_the_captures_goes_as_the_course_says(patient_folder: Path):
    drawn = dict.fromkeys([str(date) for date in demo.VISITS], 0)
    for item in read_labels(patient_folder).objects:
        drawn[item.file.partition("/")[0]] += item.sign in ACTIVE
    first, second, third, last = drawn.values()
    if patient_folder.name == "no-response":
        assert 0.8 < last / first < 1.25
    else:
        assert first > 2 * max(second, third)
        assert (last > 3 * third) == (patient_folder.name == "relapse")


@pytest.mark.parametrize("table", ["patient.csv", "salt.csv", "treatments.csv"])
def test_data_demo_has_the_record_of_the_response(patient_folder: Path, table: str):
    written, kept = ((folder / table).read_bytes() for folder in (patient_folder, DEMO))
    assert (written == kept) == (patient_folder.name == "response" or table == "patient.csv")


def test_the_command_offers_every_course_by_its_name_and_no_other(tmp_path: Path):
    assert {course.value for course in PatientCourse} == set(demo.SCENARIOS)
    result = CliRunner().invoke(synth_app, ["patient", "--out", str(tmp_path / "p"), "--course", "worse"])
    assert result.exit_code == 2
    assert all(f"'{name}'" in result.output for name in demo.SCENARIOS)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("text", ["640", "640x", "x512", "640*512", "-640x512", "10x10", "640x99999", "6.4x5"])
def test_a_size_that_is_none_is_refused(text: str):
    with pytest.raises(InputError, match="--size"):
        parse_size(text)


def test_the_sheet_shows_every_sign_every_knob_and_the_nuisances_held_out(tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sheet, "CELL_PX", (32, 24))
        patch.setattr(sheet, "TRIES", 1)
        page = sheet.sheet(0)
    assert page.width == sheet.COLUMNS * (32 + 8) + 8
    shown = {path for knob in sheet.KNOBS for _, settings in knob.cells for path in settings}
    assert {path.partition(".")[0] for path in shown} == {"scalp", "skin", "camera"}
    assert {close.sign for close in sheet.CLOSE} == {*SIGN, "intermediate_hair"}


@pytest.mark.parametrize("knob", sheet.KNOBS, ids=lambda knob: knob.label)
def test_the_cells_of_a_knob_are_drawn_from_different_priors(knob: sheet.Knob):
    drawn = [sheet.changed(sheet.CALM, settings) for _, settings in knob.cells]
    assert all(one != other for one, other in combinations(drawn, 2))


def test_a_sheet_is_a_picture(tmp_path: Path):
    result = CliRunner().invoke(synth_app, ["sheet", "--out", str(tmp_path / "sheet.txt")])
    assert result.exit_code != 0
    assert isinstance(result.exception, InputError)


def test_the_command_writes_captures(tmp_path: Path):
    out = tmp_path / "set"
    result = CliRunner().invoke(synth_app, ["captures", "--out", str(out), "--n", "2", "--size", "96x64"])
    assert result.exit_code == 0, result.output
    assert "2 synthetic captures" in result.output
    assert len(read_labels(out).captures) == 2


def test_the_command_writes_clipped_scalps_where_no_broken_hair_is_labelled(tmp_path: Path):
    out = tmp_path / "set"
    words = ["captures", "--out", str(out), "--n", "3", "--size", "320x256", "--clipped", "1"]
    assert CliRunner().invoke(synth_app, words).exit_code == 0
    labels = read_labels(out)
    assert {row.preparation for row in labels.captures} == {"clipped"}
    assert "broken_hair" not in {row.sign for row in labels.labels}
    assert {row.sign for row in labels.objects} >= {"terminal_hair"}
