from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from trichotrack.geometry import Scale
from trichotrack.runtime.reading import ModelRef
from trichotrack.visits.readings import KEPT_PICTURE
from trichotrack.visits.series import ACTIVE_LOAD, sign_series
from trichotrack.visits.verdict import headline, patient_verdicts
from visits_made import MODEL, captured


def active(visit, dots, **options):
    return captured(visit, {"black_dot": dots, "broken_hair": 0, "tapering_hair": 0}, **options)


def verdict(captures, name=ACTIVE_LOAD, against="baseline", **options):
    """The last of this outcome."""
    found = [v for v in patient_verdicts(captures, **options) if (v.name, v.against) == (name, against)]
    return found[-1]


def test_a_clear_fall_fell_with_its_interval_and_what_was_needed():
    found = verdict([active(1, 52), active(2, 12)])
    assert found.outcome == "fell"
    assert found.ratio == pytest.approx(12 / 52)
    assert found.high < 1
    assert found.reason == "52 events at baseline, 12 at this visit; a fall below 26 was needed"
    assert found.sentence.startswith("Active load fell since baseline: −77 % (97.5 % interval −")


def test_a_clear_rise_rose():
    found = verdict([active(1, 10), active(2, 60)])
    assert (found.outcome, found.low > 1) == ("rose", True)
    assert "a rise above" in found.reason


def test_no_detectable_change_prints_what_is_not_excluded_and_never_says_stable():
    found = verdict([active(1, 40), active(2, 36)])
    assert found.outcome == "no detectable change"
    assert "not excluded: −" in found.sentence
    assert " to +" in found.sentence
    assert "stable" not in found.sentence + found.reason


def test_nine_events_say_which_fall_would_be_needed():
    found = verdict([active(1, 9), active(2, 5)])
    assert found.reason.startswith("9 events at baseline, 5 at this visit; a fall below 2 or a rise above")


def test_too_few_events_cannot_tell_though_none_are_left():
    found = verdict([active(1, 4), active(2, 0)])
    assert found.outcome == "cannot tell"
    assert "4 events at baseline, 0 at this visit: too few, since even a fall to none could be chance" in found.sentence


def test_nothing_seen_twice_cannot_tell():
    found = verdict([active(1, 0), active(2, 0)])
    assert (found.outcome, found.reason, found.ratio) == ("cannot tell", "none seen at either visit", None)


def test_hair_said_to_be_unclipped_is_compared_with_hair_of_which_nothing_was_said():
    assert verdict([active(1, 60), active(2, 5, preparation="unclipped")]).outcome == "fell"


def test_none_after_treatment_is_a_fall_with_an_upper_bound():
    found = verdict([active(1, 20), active(2, 0)])
    assert (found.outcome, found.ratio, found.low) == ("fell", 0, 0)
    assert 0 < found.high < 0.4
    assert "−100 %" in found.sentence


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"preparation": "shaved"}, "other preparation (none; now shaved)"),
        ({"device": "X1 20x"}, "other device (not stated; now X1 20x)"),
        ({"scale": Scale(2.8, "field-width")}, "other source of the scale (option; now field-width)"),
        ({"scale": Scale(8.6, "option")}, "other scale (2.8 µm per px; now 8.6)"),
        ({"model": ModelRef("other", "b" * 64, 1, validated=True)}, "other model"),
        ({"area": None}, "no scale"),
        ({"site": "frontal"}, "no site in common (vertex; now frontal)"),
        ({"refused": ("broken_hair",)}, "not counted at this visit (1 of 1 capture: broken hairs: 2.1 px"),
    ],
)
def test_what_may_not_be_compared_cannot_be_told_and_has_no_ratio(other, said):
    found = verdict([active(1, 60), active(2, 5, **other)])
    assert (found.outcome, found.ratio) == ("cannot tell", None)
    assert said in found.reason
    assert said in found.sentence


SCALE_FREE = ModelRef("scale-free", "c" * 64, 1, validated=True)


def by_scale_free(visit, dots):
    """As a model trained without scales reads it: counts, and no area though the capture has a scale."""
    return active(visit, dots, model=SCALE_FREE, scale=Scale(2.8, "option"), area=None)


@pytest.mark.parametrize("before", [active(1, 60), by_scale_free(1, 60)], ids=["calibrated", "scale-free"])
def test_readings_of_a_model_without_scales_are_counted_and_compared_with_none(before):
    captures = [before, by_scale_free(2, 5)]
    found = verdict(captures)
    assert (found.outcome, found.ratio, found.p) == ("cannot tell", None, None)
    (series,) = (one for one in sign_series(captures) if one.name == ACTIVE_LOAD)
    last = series.sites["vertex"][-1]
    assert (last.count, last.exposure_cm2, last.density_per_cm2) == (5, None, None)
    assert verdict([active(1, 60), active(2, 5)]).outcome == "fell"  # what a model that goes by scale would have told


def test_another_vellus_cutoff_forbids_comparing_vellus_hair_only():
    vellus = {"black_dot": 60, "broken_hair": 0, "tapering_hair": 0, "short_vellus_hair": 60}
    after = dataclasses.replace(captured(2, {**vellus, "black_dot": 5, "short_vellus_hair": 5}), vellus_cutoff_um=40)
    both = [captured(1, vellus), after]
    assert "vellus cut-off (30 µm; now 40 µm)" in verdict(both, "short_vellus_hair").reason
    assert verdict(both).outcome == "fell"


def test_a_site_read_otherwise_is_left_out_and_named_while_the_others_are_compared():
    found = verdict([
        active(1, 50), active(1, 50, site="frontal"), active(2, 10), active(2, 1, site="frontal", preparation="dye"),
    ])  # fmt: skip
    assert found.outcome == "fell"
    assert [site.site for site in found.sites] == ["vertex"]
    assert "left out frontal: other preparation" in found.reason


def test_unreviewed_readings_of_an_unvalidated_model_give_figures_and_no_verdict():
    found = verdict([active(1, 60, model=MODEL), active(2, 5, model=MODEL)])
    assert found.outcome == "cannot tell"
    assert found.reason == "readings of a model not validated on patients have not been reviewed"
    assert found.ratio == pytest.approx(5 / 60)
    assert found.p is None


def test_one_unreviewed_capture_is_enough_to_withhold_the_verdict_and_review_gives_it():
    reviewed = [active(1, 60, model=MODEL, reviewed=True), active(2, 5, model=MODEL, reviewed=True)]
    assert verdict(reviewed).outcome == "fell"
    assert verdict([*reviewed, active(2, 1, field="2", model=MODEL)]).outcome == "cannot tell"


def test_a_visit_reviewed_by_a_person_is_never_compared_with_one_that_only_the_model_read():
    model, person = active(1, 60), active(2, 5, reviewed=True)
    found = verdict([model, person])
    assert found.outcome == "cannot tell"
    assert found.reason == "a person reviewed some of these readings and not the others: review the others too"
    assert found.ratio is None
    assert verdict([model, active(2, 5)]).outcome == "fell"
    assert verdict([active(1, 60, reviewed=True), person]).outcome == "fell"
    assert verdict([model, active(2, 5, field="1", reviewed=True), active(2, 5, field="2")]).outcome == "cannot tell"


def test_an_original_is_not_compared_with_the_smaller_picture_of_the_record_unless_people_reviewed_both():
    def of_kept(capture):
        return dataclasses.replace(capture, reading=dataclasses.replace(capture.reading, warnings=(KEPT_PICTURE,)))

    found = verdict([active(1, 60), of_kept(active(2, 5))])
    assert found.reason == "other picture (the original; now the record's smaller one)"
    assert verdict([of_kept(active(1, 60)), of_kept(active(2, 5))]).outcome == "fell"
    assert verdict([active(1, 60, reviewed=True), of_kept(active(2, 5, reviewed=True))]).outcome == "fell"


def test_sites_each_read_by_one_reader_throughout_are_compared_and_a_mixed_site_is_left_out():
    found = verdict([
        active(1, 60), active(2, 5), active(1, 40, site="frontal"), active(2, 1, site="frontal", reviewed=True),
    ])  # fmt: skip
    assert (found.outcome, [site.site for site in found.sites]) == ("fell", ["vertex"])
    assert "left out frontal: a person reviewed some" in found.reason


def test_a_synthetic_patient_has_verdicts_that_say_they_are_synthetic():
    found = verdict([active(1, 60, model=MODEL), active(2, 5, model=MODEL)], synthetic=True)
    assert found.outcome == "fell"
    assert found.sentence.startswith("Synthetic patient: ")


def signs(visit, **changed):
    base = dict.fromkeys(("black_dot", "broken_hair", "tapering_hair", "short_vellus_hair", "terminal_hair"), 20)
    return captured(visit, {**base, **changed})


def test_falling_activity_alone_is_not_regrowth():
    fallen = {"black_dot": 1, "broken_hair": 1, "tapering_hair": 1}
    assert headline(patient_verdicts([signs(1), signs(2, **fallen)])) == "Activity signs fell; regrowth not shown."
    told = headline(patient_verdicts([signs(1), signs(2, **fallen, short_vellus_hair=120)]))
    assert told == "Activity signs fell; regrowth not shown."
    told = headline(patient_verdicts([signs(1), signs(2, **fallen, terminal_hair=120)]))
    assert told == "Activity signs fell; terminal hairs rose."


def test_a_fall_of_terminal_hair_is_told_beside_whatever_the_activity_signs_did():
    fallen = {"black_dot": 1, "broken_hair": 1, "tapering_hair": 1}
    lost = headline(patient_verdicts([signs(1, terminal_hair=90), signs(2, **fallen, terminal_hair=8)]))
    assert lost == "Activity signs fell; regrowth not shown. Terminal hairs fell."
    alone = headline(patient_verdicts([signs(1, terminal_hair=90), signs(2, terminal_hair=8)]))
    assert alone.startswith("No detectable change in activity signs; ")
    assert alone.endswith(" is not excluded. Terminal hairs fell.")


def test_a_rise_since_the_previous_visit_is_told_beside_a_fall_since_baseline():
    relapsed = headline(patient_verdicts([active(1, 400), active(2, 10), active(3, 100)]))
    assert relapsed == "Activity signs fell; regrowth not shown. Since the previous visit activity signs rose."
    as_before = headline(patient_verdicts([active(1, 60), active(2, 2), active(3, 60)], synthetic=True))
    assert as_before.startswith("Synthetic patient: No detectable change in activity signs; ")
    assert as_before.endswith(" is not excluded. Since the previous visit activity signs rose.")


def test_what_the_comparison_with_baseline_says_already_is_not_said_twice():
    assert headline(patient_verdicts([active(1, 5), active(2, 60), active(3, 400)])) == "Activity signs rose."
    healed = headline(patient_verdicts([active(1, 60), active(2, 400), active(3, 60)]))
    assert healed.endswith(" Since the previous visit activity signs fell.")


def test_a_rise_of_short_vellus_hair_is_told_and_never_called_improvement():
    found = verdict([signs(1), signs(2, short_vellus_hair=120)], "short_vellus_hair")
    assert found.outcome == "rose"
    assert found.sentence.endswith("By itself this is neither improvement nor worsening.")


def test_headline_says_what_is_not_excluded_or_why_it_cannot_be_told():
    assert headline([]) == "One visit so far: nothing to compare with."
    assert headline(patient_verdicts([active(1, 40), active(2, 36)])).endswith("% is not excluded.")
    assert headline(patient_verdicts([active(1, 2), active(2, 1)])).startswith("Whether activity signs changed cannot")
    assert headline(patient_verdicts([active(1, 5), active(2, 60)])) == "Activity signs rose."


def test_first_follow_up_has_one_question_and_later_ones_two():
    found = patient_verdicts([active(1, 30), active(2, 20), active(3, 10)])
    asked = [(v.visit_id, v.against) for v in found if v.primary]
    assert asked == [(2, "baseline"), (3, "baseline"), (3, "previous")]
    assert [v.reference_visit_id for v in found if v.primary] == [1, 1, 2]


def test_a_verdict_does_not_change_when_visits_are_added():
    visits = [active(month, dots) for month, dots in enumerate((60, 40, 22, 20, 9, 60), start=1)]
    whole = patient_verdicts(visits)
    for number in range(2, 6):
        assert patient_verdicts(visits[:number]) == tuple(v for v in whole if v.visit_id <= number)


def test_outcomes_beside_the_primary_are_judged_stricter():
    found = patient_verdicts([signs(1), signs(2)])
    primary = next(v for v in found if v.primary)
    assert primary.confidence == pytest.approx(0.975)
    assert all(v.confidence > primary.confidence for v in found if not v.primary)


def test_which_signs_changed_is_asked_at_five_percent_once_the_active_load_did():
    fallen = {"black_dot": 2, "broken_hair": 2, "tapering_hair": 2}
    found = {v.name: v for v in patient_verdicts([signs(1), signs(2), signs(3, **fallen)]) if v.against == "previous"}
    assert 1 - found[ACTIVE_LOAD].confidence < 0.005
    assert 1 - found["terminal_hair"].confidence == pytest.approx(0.05 / 2)
    assert found["black_dot"].outcome == "fell"


def test_verdict_and_printed_interval_never_contradict_each_other():
    rng = np.random.default_rng(1)
    names = ("black_dot", "broken_hair", "tapering_hair")
    for _ in range(25):
        captures = [
            captured(v, dict(zip(names, rng.poisson(lam, 3).tolist(), strict=True)), site=site,
                     area=float(rng.uniform(0.05, 0.2)))
            for v, lam in ((1, 20), (2, 14), (3, 6))
            for site in ("vertex", "frontal")
        ]  # fmt: skip
        for found in patient_verdicts(captures):
            excludes_one = not found.low <= 1 <= found.high
            assert excludes_one == (found.outcome in {"fell", "rose"}), found
            assert found.ratio is None or math.isinf(found.ratio) or found.low <= found.ratio <= found.high


def test_levels_of_a_series_that_shows_nothing_add_up_to_less_than_five_percent():
    found = [v for v in patient_verdicts([active(month, 40) for month in range(1, 13)]) if v.primary]
    assert len(found) == 21
    assert 0.045 < sum(1 - v.confidence for v in found) < 0.05


def test_a_change_against_baseline_makes_the_next_visit_judge_less_strictly():
    shown = patient_verdicts([active(1, 60), active(2, 10), active(3, 10)])
    assert [round(1 - v.confidence, 4) for v in shown if v.primary] == [0.025, 0.0292, 0.0042]


def test_three_fields_tell_what_one_field_cannot():
    one = [active(1, 10), active(2, 3)]
    three = [active(visit, dots, field=str(field)) for visit, dots in ((1, 10), (2, 3)) for field in range(3)]
    repeats = [active(visit, dots, field="1") for visit, dots in ((1, 10), (2, 3)) for _ in range(3)]
    assert verdict(one).outcome == "no detectable change"
    assert verdict(three).outcome == "fell"
    assert verdict(repeats).p == pytest.approx(verdict(one).p)
