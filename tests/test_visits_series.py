from __future__ import annotations

from dataclasses import replace

import pytest

from trichotrack.capture import Quality
from trichotrack.stats.rates import poisson_interval
from trichotrack.visits.notices import notices
from trichotrack.visits.series import ACTIVE_LOAD, EARLY_REGROWTH, outcomes_of, sign_series, site_visit_counts
from visits_made import captured


def counts(dots, broken=0, tapering=0):
    return {"black_dot": dots, "broken_hair": broken, "tapering_hair": tapering}


def test_repeats_of_a_field_are_averaged_and_share_its_area_and_fields_add():
    captures = [
        captured(1, counts(4), field="1"),
        captured(1, counts(6), field="1"),
        captured(1, counts(9), field="2", area=0.2),
    ]
    site = site_visit_counts(captures, "black_dot")[1, "vertex"]
    assert site.count == 5 + 9
    assert site.exposure_cm2 == pytest.approx(0.1 + 0.2)
    assert (site.fields, len(site.used)) == (2, 3)


def test_a_refused_sign_leaves_its_capture_and_its_area_out_and_says_why():
    captures = [captured(1, counts(4), field="1"), captured(1, counts(9), field="2", refused=("black_dot",))]
    site = site_visit_counts(captures, "black_dot")[1, "vertex"]
    assert (site.count, site.exposure_cm2) == (4, pytest.approx(0.1))
    assert site.refused == ("1 of 2 captures: 2.1 px per hair; 3 needed",)


def test_a_sign_refused_everywhere_has_no_point_rather_than_zero():
    captures = [captured(1, counts(4), refused=("black_dot",)), captured(2, counts(3))]
    series = {one.name: one for one in sign_series(captures)}
    assert [point.visit_id for point in series["black_dot"].pooled] == [2]
    assert [point.visit_id for point in series["broken_hair"].pooled] == [1, 2]


def test_active_load_is_the_sum_of_its_three_signs_and_refused_where_one_is():
    captures = [captured(1, counts(4, 2, 1)), captured(2, counts(4, 2, 1), refused=("broken_hair",))]
    found = site_visit_counts(captures, ACTIVE_LOAD)
    assert found[1, "vertex"].count == 7
    assert (2, "vertex") not in found


def test_active_load_comes_first_and_is_not_formed_from_two_signs():
    assert outcomes_of([captured(1, counts(1))])[0] == ACTIVE_LOAD
    assert ACTIVE_LOAD not in outcomes_of([captured(1, {"black_dot": 1, "broken_hair": 2})])
    assert EARLY_REGROWTH in outcomes_of([captured(1, {"upright_regrowing_hair": 1, "pigtail_hair": 2})])


def test_density_has_its_exact_poisson_interval():
    (series,) = sign_series([captured(1, {"black_dot": 7}, area=0.25)])
    point = series.pooled[0]
    assert point.density_per_cm2 == pytest.approx(28)
    assert (point.low, point.high) == pytest.approx(poisson_interval(7, 0.25))


def test_pooled_trend_takes_only_sites_that_every_visit_shares():
    captures = [
        captured(1, {"black_dot": 5}, site="vertex"),
        captured(1, {"black_dot": 50}, site="frontal"),
        captured(2, {"black_dot": 5}, site="vertex"),
    ]
    (series,) = sign_series(captures)
    assert series.pooled_sites == ("vertex",)
    assert [point.count for point in series.pooled] == [5, 5]
    assert [point.count for point in series.sites["frontal"]] == [50]


def test_pooled_trend_does_not_move_when_only_the_mix_of_sites_does():
    def visit(number, dense_fields, sparse_fields):
        dense = [captured(number, {"black_dot": 20}, site="dense", field=str(i)) for i in range(dense_fields)]
        return dense + [captured(number, {"black_dot": 2}, site="sparse", field=str(i)) for i in range(sparse_fields)]

    (series,) = sign_series([*visit(1, 1, 3), *visit(2, 3, 1)])
    first, second = series.pooled
    assert first.density_per_cm2 == pytest.approx(second.density_per_cm2)
    assert second.count / second.exposure_cm2 > 2 * first.count / first.exposure_cm2


def test_a_capture_without_scale_gives_a_count_and_no_density():
    (series,) = sign_series([captured(1, {"black_dot": 7}, area=None)])
    assert (series.pooled[0].count, series.pooled[0].density_per_cm2) == (7, None)


def test_a_flag_for_little_scalp_is_explained_as_the_others_are():
    fine, flagged = (captured(1, counts(4), field=field) for field in ("1", "2"))
    flags = Quality(ok=False, flags=("45% of the picture is not scalp",))
    flagged = replace(flagged, reading=replace(flagged.reading, quality=flags))
    said = "1 of 2 captures have a quality flag (defocus, exposure, glare, not scalp or field)."
    assert said in notices([fine, flagged], [], synthetic=False)
    assert said not in notices([fine, fine], [], synthetic=False)
