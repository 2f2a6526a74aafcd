from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from trichotrack.problems import InputError
from trichotrack.runtime.spec import SignSpec
from trichotrack.signs import SIGN
from trichotrack.stats.model_error import ReaderError
from trichotrack.visits.beside import SiteCounts, by_site, what_it_takes
from trichotrack.visits.judging import Judging
from trichotrack.visits.notices import assumptions
from trichotrack.visits.overview import _plain
from trichotrack.visits.series import ACTIVE_LOAD
from trichotrack.visits.verdict import headline, patient_verdicts
from visits_made import MODEL, VALIDATED, captured

GOOD = ReaderError(0.8, 0.05, 2.0, 0.4)
ACTIVE = ("black_dot", "broken_hair", "tapering_hair")


def with_figures(**errors):
    """A model validated on people, with these figures."""
    return replace(VALIDATED, figures={sign: asdict(error) for sign, error in errors.items()})


FIGURES = with_figures(**dict.fromkeys(ACTIVE, GOOD))


def active(visit, dots, **options):
    return captured(visit, {"black_dot": dots, "broken_hair": 0, "tapering_hair": 0}, **options)


def verdict(captures, name=ACTIVE_LOAD, **options):
    return next(v for v in reversed(patient_verdicts(captures, **options)) if v.name == name)


def test_a_model_s_own_figures_correct_the_size_of_a_change_and_never_the_verdict():
    # 0.8 × 40 + 2 and 0.8 × 10 + 2 per cm²
    visits = [active(1, 68, area=2, model=FIGURES), active(2, 20, area=2, model=FIGURES)]
    found = verdict(visits, "black_dot")
    assert found.ratio == pytest.approx(20 / 68)
    assert found.correction.done
    assert found.correction.ratio == pytest.approx(0.25)
    assert found.correction.low < 0.25 < found.correction.high < 1
    assert [d[0] for d in found.correction.densities_per_cm2] == pytest.approx([40, 10])
    assert "Corrected for the model's misses and false marks (2 per cm²): −75 %" in found.correction.sentence
    plain = verdict([active(1, 68, area=2), active(2, 20, area=2)], "black_dot")
    assert (plain.outcome, plain.p, plain.sentence) == (found.outcome, found.p, found.sentence)


@pytest.mark.parametrize("error", [ReaderError(1.0, 0.12, 2.0, 0.4), ReaderError(0.95, 0.3, 2.0, 0.4)])
def test_a_model_that_missed_nothing_in_its_validation_corrects_too(error):
    model = with_figures(black_dot=error)
    found = verdict([active(1, 68, area=2, model=model), active(2, 20, area=2, model=model)], "black_dot").correction
    assert found.done
    for value, low, high in found.densities_per_cm2:
        assert low < value < high
    assert found.densities_per_cm2[0][0] == pytest.approx((34 - 2) / error.recall)


@pytest.mark.parametrize(
    "figures",
    [{"recall": "good"}, {}, {"recall": 0.0, "recall_se": 0.1}, {"unknown": 1.0}, {**asdict(GOOD), "recall": 0}],
)
def test_figures_that_are_none_leave_the_verdict_uncorrected(figures):
    model = replace(VALIDATED, figures={"black_dot": figures})
    found = verdict([active(1, 68, model=model), active(2, 20, model=model)], "black_dot")
    assert (found.outcome, found.correction.done) == ("fell", False)


def test_corrected_and_plain_verdicts_never_contradict_each_other():
    rng = np.random.default_rng(3)
    for first, second in rng.poisson([40, 22], (12, 2)):
        visits = [active(1, int(first), area=1.5, model=FIGURES), active(2, int(second), area=1.5, model=FIGURES)]
        found = verdict(visits, "black_dot")
        assert (not found.correction.low <= 1 <= found.correction.high) == (found.outcome in {"fell", "rose"})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"reviewed": True, "model": FIGURES}, "a person reviewed these readings"),
        ({"model": MODEL}, "the model has no figures on patients"),
        ({"model": with_figures(broken_hair=GOOD)}, "the model has no figures for black dots"),
    ],
)
def test_what_cannot_be_corrected_says_why(options, said):
    visits = [active(1, 60, **options), active(2, 12, **options)]
    found = verdict(visits, "black_dot", synthetic=options["model"] is MODEL)
    assert found.correction.sentence == f"Not corrected: {said}."
    assert found.correction.ratio is None


def test_readings_half_reviewed_or_a_baseline_within_the_false_marks_are_not_corrected():
    by_person = [active(visit, dots, reviewed=True, model=FIGURES) for visit, dots in ((1, 60), (2, 12))]
    by_model = [active(visit, dots, model=FIGURES, site="frontal") for visit, dots in ((1, 60), (2, 12))]
    found = verdict([*by_person, *by_model], "black_dot")
    assert found.outcome == "fell"
    assert "some of these readings and not the others" in found.correction.sentence
    found = verdict([active(1, 18, area=10, model=FIGURES), active(2, 12, area=10, model=FIGURES)], "black_dot")
    assert "does not stand out from the model's 2 false marks per cm²" in found.correction.sentence


def test_a_sum_of_signs_takes_its_false_marks_from_none_to_all_of_theirs():
    counts = {"black_dot": 40, "broken_hair": 20, "tapering_hair": 20}

    def by(model):
        return verdict(
            [captured(1, counts, area=2, model=model), captured(2, dict.fromkeys(counts, 9), area=2, model=model)]
        )

    found = by(FIGURES)
    assert found.correction.done
    whole = by(with_figures(**{ACTIVE_LOAD: ReaderError(0.8, 0.05, 6.0, 0.0)}))
    assert whole.correction.ratio < found.correction.ratio < found.ratio
    apart = by(with_figures(black_dot=GOOD, broken_hair=ReaderError(0.4, 0.1, 1, 0.1), tapering_hair=GOOD))
    assert "finds 40% of one of its signs and 80% of another" in apart.correction.sentence


def test_a_channel_gives_its_figures_only_with_all_their_errors():
    assert SignSpec(SIGN["black_dot"], 0.5, 0.8, 0.05, 2.0, 0.4).figures == asdict(GOOD)
    assert SignSpec(SIGN["broken_hair"], 0.5, 0.8, None, 2.0, 0.4).figures == {}
    assert SignSpec(SIGN["tapering_hair"], 0.5).figures == {}


def sites(*counts, area=0.1, fields=1):
    return [SiteCounts(f"s{i}", a, area, b, area, fields, fields) for i, (a, b) in enumerate(counts)]


def test_what_it_takes_names_the_fewest_fields_that_would_show_the_change_as_seen():
    told = what_it_takes(sites((40, 22)), cv=0.0, level=0.025)
    assert told == "With one more field a site at this visit, the change as seen would show."
    told = what_it_takes(sites((8, 3)), cv=0.15, level=0.025)
    assert told == "With three more fields a site at both visits, the change as seen would show."
    one_fewer = [SiteCounts("s", 8 * 3, 0.3, 3 * 3, 0.3)]
    assert verdict([active(1, 24), active(2, 9)]).outcome == "no detectable change", one_fewer
    assert verdict([active(1, 32), active(2, 12)]).outcome == "fell"


def test_where_nothing_seems_to_change_it_is_told_what_a_halving_would_take():
    assert "a halving would show" in what_it_takes(sites((20, 19)), cv=0.15, level=0.025)
    told = what_it_takes(sites((200, 120)), cv=0.4, level=0.025)
    assert told == "A between-capture variation of 40 % hides the change as seen, however many fields are taken."
    # Without end a halving would show through 15 %, but 20 fields more are not enough for it; through 60 % never.
    few = what_it_takes(sites((2, 2)), cv=0.15, level=0.0042)
    assert few == "Even 20 more fields a site at both visits would not show a halving."
    told = what_it_takes(sites((200, 200)), cv=0.6, level=0.025)
    assert told == "A between-capture variation of 60 % hides a halving, however many fields are taken."
    assert what_it_takes(sites((0, 0)), cv=0.15, level=0.025).startswith("With none seen at either visit")
    assert "would not show" in what_it_takes(sites((0.1, 0.0)), cv=0.15, level=0.001)


def test_a_verdict_that_tells_nothing_says_what_would():
    found = verdict([active(1, 10), active(2, 5)])
    assert found.outcome == "no detectable change"
    assert found.to_tell.endswith("would show.")
    assert verdict([active(1, 60), active(2, 5)]).to_tell == ""


def two_sites(first, second):
    return [active(v, n, site=s) for v, pair in ((1, first), (2, second)) for s, n in zip("ab", pair, strict=True)]


def test_sites_are_told_beside_the_pooled_answer_and_judged_only_where_it_changed():
    fell = verdict(two_sites((60, 40), (3, 38)))
    assert fell.outcome == "fell"
    assert [(s.site, s.outcome) for s in fell.by_site] == [("a", "fell"), ("b", "no detectable change")]
    assert fell.by_site[0].confidence == pytest.approx(1 - 0.025 / 2)
    opposite = verdict(two_sites((40, 10), (10, 40)))
    assert opposite.outcome == "no detectable change"
    assert [s.outcome for s in opposite.by_site] == ["not judged", "not judged"]
    assert opposite.by_site[0].high < 1, "shown, not claimed"
    assert verdict([active(1, 40), active(2, 5)]).by_site == ()


def test_stable_patients_are_seldom_told_of_a_change_at_a_site():
    rng = np.random.default_rng(6)
    told = 0
    for counts in rng.poisson(25, (800, 2, 3)):
        here = [SiteCounts(str(i), counts[0, i], 1, counts[1, i], 1) for i in range(3)]
        pooled = by_site([SiteCounts("all", counts[0].sum(), 3, counts[1].sum(), 3)], cv=0, level=0.05, changed=True)
        changed = pooled[0].outcome in {"fell", "rose"}
        told += any(s.outcome in {"fell", "rose"} for s in by_site(here, cv=0, level=0.05, changed=changed))
    assert told / 800 <= 0.05


def test_stable_is_said_only_with_a_margin_and_only_where_the_interval_lies_within_it():
    visits = [active(1, 900), active(2, 905)]
    sure = Judging(cv=0.03, cv_df=40, stable_ratio=1.25)
    found = verdict(visits, judging=sure)
    assert found.outcome == "stable"
    assert "Active load is stable since baseline: −" in found.sentence
    assert "within the stated margin of −20 % to +25 %." in found.sentence
    assert found.confidence == pytest.approx(0.95)
    assert 0.8 < found.low < found.high < 1.25
    assert headline(patient_verdicts(visits, judging=sure)).startswith("Activity signs are stable: ")
    assert verdict(visits).outcome == "no detectable change"
    assert verdict([active(1, 40), active(2, 41)], judging=sure).outcome == "no detectable change"
    assert verdict(visits, judging=Judging(stable_ratio=1.25)).outcome == "no detectable change", "15 % is too much"


def test_two_one_sided_tests_seldom_call_a_change_of_the_margin_stable():
    rng = np.random.default_rng(9)
    from trichotrack.stats.rates import Stratum, equivalence_interval

    wrong = right = 0
    for k0, k1, same in zip(rng.poisson(300, 600), rng.poisson(390, 600), rng.poisson(300, 600), strict=True):
        edge = equivalence_interval([Stratum(k0, 1, k1, 1)], cv=0.0, level=0.05)
        wrong += edge.low > 1 / 1.3 and edge.high < 1.3
        equal = equivalence_interval([Stratum(k0, 1, same, 1)], cv=0.0, level=0.05)
        right += equal.low > 1 / 1.3 and equal.high < 1.3
    assert 0.02 <= wrong / 600 <= 0.07
    assert right / 600 > 0.85


def test_a_measured_cv_takes_the_place_of_the_assumed_one_and_is_said():
    visits = [active(1, 120), active(2, 78)]
    assert verdict(visits).outcome == "no detectable change"
    measured = Judging(cv=0.05, cv_df=30)
    found = verdict(visits, judging=measured)
    assert found.outcome == "fell"
    assert found.allowed_for == "5 % at each visit (measured, upper 80 % bound, 30 degrees of freedom)"
    assert verdict(visits).allowed_for == "15 % at each visit (assumed)"
    assert "was measured with relocated repeats (30 degrees" in " ".join(assumptions(visits, measured))
    assert "15 % at each visit is assumed" in " ".join(assumptions(visits))


def test_settings_that_cannot_be_are_all_told_at_once():
    with pytest.raises(InputError) as caught:
        Judging(cv=15, cv_df=3, stable_ratio=0.8)
    assert len(caught.value.problems) == 3


def test_what_stands_beside_a_verdict_is_plain_json():
    import dataclasses

    found = verdict(two_sites((40, 0), (0, 3)))
    text = json.dumps(_plain(dataclasses.asdict(found)), allow_nan=False)
    assert '"by_site"' in text


def test_the_report_s_line_says_what_it_would_take_and_what_was_corrected():
    from trichotrack.report.voice import voice
    from trichotrack.report.words import _reason

    def told(first, second, name=ACTIVE_LOAD, **options):
        return _reason(verdict([active(1, first, **options), active(2, second, **options)], name), voice())

    assert "a site at" in told(10, 5)
    assert "Corrected for the model's misses" in told(68, 20, "black_dot", area=2, model=FIGURES)
    assert "orrected" not in told(68, 20, "black_dot", area=2)


@pytest.mark.slow
def test_whole_series_of_verdicts_tell_at_most_five_percent_of_stable_patients_of_a_change():
    rng = np.random.default_rng(14)
    names = ("black_dot", "broken_hair", "tapering_hair", "terminal_hair")
    told, patients, means = 0, 150, np.array([9, 5, 4, 30])
    for _ in range(patients):
        captures = [
            captured(visit, dict(zip(names, rng.poisson(noise * means).tolist(), strict=True)), site=site)
            for visit, noise in enumerate(rng.gamma(1 / 0.15**2, 0.15**2, 10), start=1)
            for site in ("a", "b", "c")
        ]  # fmt: skip
        found = patient_verdicts(captures)
        told += any(v.primary and v.outcome in {"fell", "rose"} for v in found)
        for v in found:
            judged = any(site.outcome in {"fell", "rose"} for site in v.by_site)
            assert not judged or v.outcome in {"fell", "rose"}
    assert told / patients <= 0.05 + 2 * 0.018  # s.e. of 5 % of 150
