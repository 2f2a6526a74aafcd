"""The same field and the same hairs found again: what is recovered, what is refused, what is counted once."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from demo_record import demo_record
from trichotrack.cli.app import app
from trichotrack.problems import InputError
from trichotrack.runtime.reading import MarkedObject
from trichotrack.stats.paired import Followed
from trichotrack.synth.draw import draw_person
from trichotrack.synth.patients import Course, draw_field, scalp_at
from trichotrack.synth.priors import Priors, ScalpPriors
from trichotrack.synth.render import photograph
from trichotrack.synth.view import Pose, View
from trichotrack.synth.write import clinic_camera
from trichotrack.visits.change_matched import judged, match_visits, picture_of
from trichotrack.visits.hairs_matched import BORDER_UM, TOLERANCE_UM, match_captures, one_to_one
from trichotrack.visits.record import open_record
from trichotrack.visits.registration import Picture, Registration, register
from trichotrack.visits.skin_stretch import affine_map
from trichotrack.visits.story import patient_story

SIZE, UM = (448, 352), 8.0
POSES = (Pose(turn_deg=3.0), Pose((420.0, -260.0), -7.0, (1.02, 0.985)))
PRIORS = Priors(scalp=ScalpPriors(curly_chance=0.0, shaved_chance=0.0), camera=clinic_camera())


def captures(seed: int, poses=POSES, weeks=(0.0, 8.0)):
    rng = np.random.default_rng(seed)
    field = draw_field(rng, 4200.0, PRIORS, draw_person(rng, PRIORS), Course((0.2, 0.15, 0.1, 0.15, 0.0, 0.4)))
    taken = []
    for at, pose in zip(weeks, poses, strict=True):
        scalp = scalp_at(field, at, np.random.default_rng(1))
        taken.append(photograph(scalp, rng, size_px=SIZE, um_per_px=UM, priors=PRIORS.camera, pose=pose))
    return taken


@pytest.fixture(scope="module")
def pair():
    return captures(5)


@pytest.fixture(scope="module")
def registered(pair) -> Registration:
    return register(Picture(pair[0].image, UM), Picture(pair[1].image, UM))


def truth(points: np.ndarray) -> np.ndarray:
    here, there = (View.of(SIZE, UM, pose).to_px for pose in POSES)
    linear = there[:, :2] @ np.linalg.inv(here[:, :2])
    return points @ linear.T + there[:, 2] - linear @ here[:, 2]


def grid(border: float = 15.0) -> np.ndarray:
    x, y = np.meshgrid(np.linspace(border, SIZE[0] - border, 12), np.linspace(border, SIZE[1] - border, 10))
    return np.column_stack([x.ravel(), y.ravel()])


def test_the_way_the_probe_was_laid_again_is_recovered_within_a_hair(registered: Registration):
    points = grid()
    there = truth(points)
    common = ((there >= 15) & (there < np.array(SIZE) - 15)).all(axis=1)
    off_um = np.hypot(*(registered.to_after(points)[common] - there[common]).T) * UM
    assert registered.accepted
    assert np.median(off_um) < 15
    assert np.quantile(off_um, 0.95) < 45
    assert registered.turn_deg == pytest.approx(-10, abs=2)
    inside = ((there >= 0) & (there < np.array(SIZE))).all(axis=1)
    assert registered.overlap == pytest.approx(inside.mean(), abs=0.08)


def test_the_way_back_undoes_the_way_there(registered: Registration):
    assert np.abs(registered.to_before(registered.to_after(grid())) - grid()).max() < 0.05


def test_another_field_of_the_same_skin_is_refused_with_a_reason(pair):
    other = captures(6)[0]
    found = register(Picture(pair[0].image, UM), Picture(other.image, UM))
    assert not found.accepted
    assert "not the same field" in found.reason
    assert match_captures(Picture(pair[0].image, UM), Picture(other.image, UM), (), (), registration=found).hairs == ()


def test_a_picture_too_small_to_hold_skin_is_refused_by_name():
    with pytest.raises(InputError, match=r"a.jpg: shows only 0.3 mm"):
        register(
            Picture(np.zeros((40, 50, 3), np.uint8), UM, name="a.jpg"), Picture(np.zeros((400, 500, 3), np.uint8), UM)
        )


def marks(capture) -> tuple[MarkedObject, ...]:
    return tuple(MarkedObject(item.id, item.sign, item.x, item.y) for item in capture.objects)


def test_hairs_seen_at_both_visits_are_found_again_and_only_they(pair, registered: Registration):
    result = match_captures(
        Picture(pair[0].image, UM), Picture(pair[1].image, UM), marks(pair[0]), marks(pair[1]), registration=registered
    )
    both = {item.id for item in pair[0].objects} & {item.id for item in pair[1].objects}
    same = {hair.before.id for hair in result.hairs if hair.before and hair.after and hair.before.id == hair.after.id}
    alone = {
        item.id for hair in result.hairs if (item := hair.before or hair.after) and not (hair.before and hair.after)
    }
    assert same
    assert same <= both
    assert not alone & both


PLAIN = Registration(
    True, "", 5.0, 50, 60, 40.0, 1.0, 0.0, np.eye(2, 3), (400, 300), (400, 300), affine_map(np.eye(2, 3))
)  # fmt: skip
BLANK = Picture(np.zeros((300, 400, 3), np.uint8), 10.0)


def mark(name: str, sign: str, x: float, y: float, score: float | None = None) -> MarkedObject:
    return MarkedObject(name, sign, x, y, score=score)


def fates(before, after, **options):
    result = match_captures(BLANK, BLANK, before, after, registration=PLAIN, **options)
    return {(hair.before or hair.after).id: hair for hair in result.hairs}


def test_every_structure_has_one_of_four_fates():
    before = [mark("a", "black_dot", 100, 100), mark("b", "black_dot", 200, 100), mark("c", "terminal_hair", 300, 100)]
    after = [mark("p", "upright_regrowing_hair", 101, 101), mark("q", "terminal_hair", 300, 102),
             mark("r", "broken_hair", 150, 200)]  # fmt: skip
    told = {name: hair.fate for name, hair in fates(before, after).items()}
    assert told == {"a": "changed sign", "b": "gone", "c": "persisted", "r": "new"}


def test_a_yellow_dot_is_not_the_hair_that_grows_from_it():
    told = fates([mark("a", "yellow_dot", 100, 100)], [mark("p", "terminal_hair", 100, 100)])
    assert {hair.fate for hair in told.values()} == {"gone", "new"}


def test_what_lies_at_the_border_of_either_picture_is_not_counted():
    edge = BORDER_UM / 10.0
    assert not fates([mark("a", "black_dot", edge - 1, 100)], [])
    assert fates([mark("a", "black_dot", edge + 1, 100)], [])


def test_a_hair_missed_at_one_visit_is_found_when_looked_for_and_nowhere_else():
    before = [mark("a", "black_dot", 100, 100), mark("b", "black_dot", 200, 100)]
    unsure = [mark("u", "black_dot", 102, 100, 0.2), mark("v", "black_dot", 300, 200, 0.2)]
    told = fates(before, [], unsure_after=unsure)
    assert {name: (hair.fate, hair.rescored) for name, hair in told.items()} == {
        "a": ("persisted", True), "b": ("gone", False),
    }  # fmt: skip


def test_an_outcome_counts_what_left_it_by_its_sign_as_lost():
    before = [mark("a", "black_dot", 100, 100), mark("b", "broken_hair", 200, 100)]
    after = [mark("p", "upright_regrowing_hair", 100, 100), mark("q", "tapering_hair", 200, 100)]
    result = match_captures(BLANK, BLANK, before, after, registration=PLAIN)
    assert result.followed(("black_dot", "broken_hair", "tapering_hair")) == Followed(1, 1, 0)
    assert result.followed(("upright_regrowing_hair",)) == Followed(0, 0, 1)


POINTS = st.lists(st.tuples(st.floats(0, 300), st.floats(0, 300)), max_size=14).map(
    lambda values: np.array(values, np.float64).reshape(-1, 2)
)


@settings(max_examples=60)
@given(POINTS, POINTS)
def test_pairs_are_one_to_one_near_and_leave_no_near_pair_behind(a: np.ndarray, b: np.ndarray):
    pairs = one_to_one(a, b, 10.0)
    ours, theirs = [i for i, _ in pairs], [j for _, j in pairs]
    assert len(set(ours)) == len(ours)
    assert len(set(theirs)) == len(theirs)
    reach = TOLERANCE_UM / 10.0
    assert all(np.hypot(*(a[i] - b[j])) <= reach for i, j in pairs)
    left = [(i, j) for i in range(len(a)) if i not in ours for j in range(len(b)) if j not in theirs]
    assert all(np.hypot(*(a[i] - b[j])) > reach for i, j in left)
    assert {(j, i) for i, j in one_to_one(b, a, 10.0)} == set(pairs) or len(pairs) == len(one_to_one(b, a, 10.0))


@settings(max_examples=40)
@given(POINTS)
def test_points_that_moved_by_less_than_half_their_distance_are_all_found(points: np.ndarray):
    kept = []
    for point in points:
        if all(np.hypot(*(point - other)) > 6.5 for other in kept):
            kept.append(point)
    a = np.array(kept).reshape(-1, 2)
    assert one_to_one(a, a + np.array([1.2, -1.2]), 10.0) == [(i, i) for i in range(len(a))]


@pytest.fixture(scope="module")
def record(tmp_path_factory) -> Path:
    """vertex field 1 twice over: the second picture of the same skin goes by as field 9."""
    place = tmp_path_factory.mktemp("match")
    path = demo_record(
        place / "r.sqlite", place / "captures", ("2026-01-12", "2026-03-09"), ("vertex_1_1", "vertex_1_2")
    )
    from sqlalchemy import update

    from trichotrack.visits.schema import Capture

    with open_record(path, write=True) as session:
        session.execute(update(Capture).where(Capture.n == "2").values(field="9"))
    return path


def test_skin_that_two_fields_show_is_counted_once(record: Path):
    with open_record(record) as session:
        story = patient_story(session, "P001")
    found = match_visits(story, date(2026, 1, 12), date(2026, 3, 9))
    first, second = found.fields
    assert first.counted_elsewhere == 0 < second.counted_elsewhere
    # The same follicle is in both pictures under other names: by its number on the ground it is there once.
    kept = [(hair.before or hair.after).id.rpartition("-")[2] for field in found.fields for hair in field.match.hairs]
    assert len(kept) == len(set(kept))
    assert second.match.area_cm2 < 0.6 * first.match.area_cm2
    assert any("counted once" in notice for notice in found.notices)


def test_marks_of_a_model_trained_without_scales_are_not_followed(record: Path):
    with open_record(record) as session:
        capture = patient_story(session, "P001").visits[0].captures[0]
    uncalibrated = replace(capture, reading=replace(capture.reading, area_cm2=None))
    with pytest.raises(InputError, match="was read by a model trained without scales, which only counts"):
        picture_of(uncalibrated)


def test_the_command_follows_hairs_and_draws_them(record: Path, tmp_path: Path):
    line = ["visit", "match", "P001", "--from", "2026-01-12", "--to", "2026-03-09", "--record", str(record)]
    result = CliRunner().invoke(app, [*line, "--site", "vertex", "--out", str(tmp_path), "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert told["outcomes"][0]["name"] == "active_load"
    assert "Synthetic patient" in told["outcomes"][0]["sentence"]
    assert {hair["fate"] for field in told["fields"] for hair in field["hairs"]} <= {
        "persisted", "changed sign", "gone", "new",
    }  # fmt: skip
    assert len(told["pictures"]) == 2
    assert all(Path(path).stat().st_size > 10_000 for path in told["pictures"])


def test_the_command_has_help_with_an_example():
    assert "Example: trichotrack" in " ".join(CliRunner().invoke(app, ["visit", "match", "--help"]).output.split())


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--from", "2026-01-11", "--to", "2026-03-09"], "has no visit on this day"),
        (["--from", "2026-03-09", "--to", "2026-01-12"], "is not before --to"),
        (["--from", "2026-01-12", "--to", "2026-03-09", "--site", "frontal"], "share no field at frontal"),
    ],
)
def test_what_cannot_be_matched_is_said(record: Path, options: list[str], said: str):
    result = CliRunner().invoke(app, ["visit", "match", "P001", *options, "--record", str(record)])
    assert result.exit_code == 2
    assert said in result.output


def test_only_the_active_load_is_judged_and_never_beyond_the_skin_seen():
    fell = judged("active_load", Followed(10, 30, 2), 0.3, 3)
    assert fell.outcome == "fell"
    assert fell.sentence.startswith("In the skin that both visits show (0.3 cm², 3 fields)")
    assert "Active load fell there: −70 %" in fell.sentence
    assert judged("black_dot", Followed(10, 30, 2), 0.3, 3).outcome is None
    assert judged("active_load", Followed(30, 3, 4), 0.3, 3).outcome == "no detectable change"
    told = judged("active_load", Followed(10, 30, 2), 0.3, 3, obstacle="nobody has reviewed them")
    assert (told.outcome, "cannot be told: nobody has reviewed them" in told.sentence) == ("cannot tell", True)
    assert judged("active_load", Followed(0, 0, 0), 0.3, 1).outcome == "cannot tell"
