"""The change section: beside each verdict why, each site and what it would take; once for all, what was allowed for."""

from __future__ import annotations

from dataclasses import replace

import pytest

from story_fixture import a_story, as_read
from test_report_html import Page
from trichotrack.report.document import document
from trichotrack.report.html import render_html
from trichotrack.report.page_one import page_one
from trichotrack.report.voice import voice
from trichotrack.report.words import OUTCOME_GLYPHS, outcome_text
from trichotrack.visits.correction import Correction
from trichotrack.visits.judging import Judging
from trichotrack.visits.story import PatientStory
from trichotrack.visits.verdict import beside, headline, patient_verdicts, shared
from trichotrack.visits.wording import change_text

SAY = voice()


@pytest.fixture(scope="module")
def story() -> PatientStory:
    return a_story()


@pytest.fixture(scope="module")
def steady(story) -> PatientStory:
    """The same captures at every visit, and a margin wide enough to call that stable."""
    visits = tuple(replace(visit, captures=story.visits[0].captures) for visit in story.visits)
    captures = [as_read(visit, capture) for visit in visits for capture in visit.captures]
    verdicts = patient_verdicts(captures, synthetic=True, judging=Judging(cv=0.05, stable_ratio=3))
    return replace(story, visits=visits, verdicts=verdicts, headline=headline(verdicts))


def reasons(story: PatientStory) -> dict[tuple[str, str], tuple[str, tuple[str, ...]]]:
    """(group, outcome) to what stands beside it: the verdict as shown, and the lines below the reason."""
    section = next(one for one in document(story, SAY).sections if one.anchor == "change")
    table = next(block for block in section.blocks if block.block == "table" and len(block.heads) == 3)
    return {(group.title, row[0].text): (row[1].text, row[2].below) for group in table.groups for row in group.rows}


def test_beside_each_verdict_of_the_last_visit_stand_its_sites_and_what_it_would_take(story):
    found = reasons(story)
    last = story.verdicts_at(story.visits[-1].id)
    assert len(found) == len(last) == 10
    for verdict in last:
        shown, below = found[SAY(f"change.since_{verdict.against}"), verdict.label]
        assert shown == f"{OUTCOME_GLYPHS[verdict.outcome]} {verdict.outcome}"
        assert below == beside(verdict)
    text = Page(render_html(story)).text
    assert "vertex: fell; −85 % (−95 % to −55 %), 78 events, now 12" in text
    assert "occipital: not judged; −67 % (−88 % to −9 %), 18 events, now 6" in text
    assert "With three more fields a site at this visit, the change as seen would show." in text


def test_what_holds_for_all_verdicts_is_said_once(story):
    text = Page(render_html(story)).text
    told = shared(story.verdicts)
    assert len(told) == 2
    assert all(text.count(one) == 1 for one in told)


def test_a_corrected_ratio_stands_beside_the_verdict_and_not_among_the_uncorrected(story):
    sentence = "Corrected for the model's misses and false marks (3 per cm²): −90 % (99.38 % interval −97 % to −70 %)."
    done = Correction(True, sentence, 0.1, 0.03, 0.3)
    verdicts = tuple(
        replace(one, correction=done if one.name == "active_load" else None, to_tell="") for one in story.verdicts
    )
    told = replace(story, verdicts=verdicts)
    assert sentence in reasons(told)[SAY("change.since_baseline"), "Active load"][1]
    assert "Not corrected" not in Page(render_html(told)).text


def test_stable_is_printed_like_every_other_verdict(steady):
    outcomes = {verdict.outcome for verdict in steady.verdicts_at(steady.visits[-1].id)}
    assert "stable" in outcomes
    row = next(row for row in page_one(steady, SAY).panels.rows if row.kind == "outcome")
    assert (row.outcome, row.glyph, row.tone) == ("stable", "≈", "same")
    assert "Since the previous visit: stable, 0 %." in row.small
    text = Page(render_html(steady)).text.replace("\N{NO-BREAK SPACE}", " ")
    assert steady.headline in text
    assert "≈ stable" in text
    assert "within the stated margin of −67 % to +200 %" in text
    assert "two one-sided tests put the change within −67 % to +200 %" in text


@pytest.mark.parametrize("outcome", OUTCOME_GLYPHS)
def test_every_outcome_has_a_word_and_a_shape_of_its_own(outcome):
    assert outcome_text(outcome, SAY) == outcome
    assert len(set(OUTCOME_GLYPHS.values())) == len(OUTCOME_GLYPHS)


def test_without_several_sites_nothing_is_said_of_sites(story):
    alone = replace(story, verdicts=tuple(replace(one, by_site=()) for one in story.verdicts))
    assert SAY("change.caption_sites") in Page(render_html(story)).text
    assert SAY("change.caption_sites") not in Page(render_html(alone)).text


@pytest.mark.parametrize(
    ("ratio", "said"),
    [
        (0.55, "−45 %"),
        (1.8, "+80 %"),
        (1.004, "+0.4 %"),
        (1 + 2e-15, "0 %"),
        (1, "0 %"),
        (0, "−100 %"),
        (10.9, "+990 %"),
        (96.4, "×96"),
        (15668, "×16000"),
    ],
)
def test_a_ratio_is_told_no_finer_than_it_is_known(ratio, said):
    assert change_text(ratio) == said
