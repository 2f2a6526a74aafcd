from __future__ import annotations

import pytest

from cohort_made import write_tables
from trichotrack.cohort.score import CAUTION, POINTS, SignsFound, published_chance, score_of, scores_of_folder, told
from trichotrack.problems import InputError

PUBLISHED = {2: 98.3, 1: 88.7, 0: 52.3, -1: 13.2, -2: 2.1, -3: 0.3, -4: 0.0}


@pytest.mark.parametrize("score", PUBLISHED)
def test_chances_are_the_published_ones_within_a_fifth_of_a_point(score):
    assert 100 * published_chance(score) == pytest.approx(PUBLISHED[score], abs=0.2)


def test_a_score_that_cannot_be_has_no_chance():
    with pytest.raises(InputError):
        published_chance(3)


def found(month=2.0, reviewer="Dr A. Kim", **present):
    return SignsFound("P1", month, dict.fromkeys(POINTS, False) | present, reviewer)


def test_points_go_down_for_activity_and_up_for_regrowth():
    assert score_of("P1", "patchy", [found()]).score == 0
    assert score_of("P1", "patchy", [found(upright_regrowing_hair=True, pigtail_hair=True)]).score == 2
    worst = dict.fromkeys(["black_dot", "broken_hair", "exclamation_mark_hair", "tapered_hair"], True)
    assert score_of("P1", "patchy", [found(**worst)]).score == -4


@pytest.mark.parametrize(
    ("aa_type", "signs", "reason"),
    [
        ("totalis", [found()], "alopecia is totalis; the score is for patchy"),
        ("", [found()], "of no stated type"),
        ("patchy", [], "no reading at 2 ± 0.5 months"),
        ("patchy", [found(month=2.6)], "no reading at 2 ± 0.5 months"),
        ("patchy", [found(reviewer="")], "not been reviewed"),
        ("patchy", [found(pigtail_hair=None)], "not counted: pigtail hair"),
    ],
)
def test_it_is_refused_with_the_reason_where_it_was_not_made_for(aa_type, signs, reason):
    one = score_of("P1", aa_type, signs)
    assert one.score is None
    assert one.chance is None
    assert reason in one.reason


def test_a_folder_s_scores_are_told_with_the_caution(tmp_path):
    signs = list(POINTS)
    tables = {
        "patients": [["patient", "aa_type", "start"], ["A", "patchy", "2026-01-01"], ["B", "totalis", ""]],
        "salt": [["patient", "month", "salt"], ["A", 0, 40], ["B", 0, 100]],
        "signs": [["patient", "date", *signs, "reviewed_by"], ["A", "2026-03-01", 3, 0, 0, 0, 1, 1, "Dr A. Kim"]],
    }
    scores = scores_of_folder(write_tables(tmp_path, tables))
    assert scores[0].score == 1
    said = told(scores)
    assert said[0] == CAUTION
    assert "Score 1: 1; published chance of regrowth 88.8 %." in said
    assert "1 refused: alopecia is totalis; the score is for patchy alopecia areata." in said
    tables["signs"] = [["patient", "month", *signs], ["C", 2, -1, 0, 0, 0, 0, 0]]
    with pytest.raises(InputError) as caught:
        scores_of_folder(write_tables(tmp_path, tables))
    assert len(caught.value.problems) == 3
