"""The report's texts: one catalogue, complete in each language; dates and decimals as the clinic sets them."""

from __future__ import annotations

import ast
import re
import string
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from story_fixture import DATES, MODEL, a_story, as_read, with_clinic
from test_report_html import Page
from trichotrack.problems import InputError
from trichotrack.report import voice as voices
from trichotrack.report.html import render_html
from trichotrack.report.voice import ISO, languages, voice
from trichotrack.visits.beside import SiteCounts, by_site, what_it_takes
from trichotrack.visits.judging import USUAL, Judging
from trichotrack.visits.series import ReadCapture
from trichotrack.visits.story import VisitStory
from trichotrack.visits.verdict import beside, headline, patient_verdicts, shared

ROOM = Path(voices.__file__).parent
ENGLISH = ROOM / "catalogue" / "en.toml"
DAYS = st.dates(date(1990, 1, 1), date(2040, 12, 31))


@pytest.mark.parametrize(
    ("date_format", "full", "month", "year"),
    [
        (ISO, "2026-03-04", "2026-03", "2026"),
        ("DD.MM.YYYY", "04.03.2026", "03.2026", "2026"),
        ("D MMM YYYY", "4 Mar 2026", "Mar 2026", "2026"),
        ("MMM D, YYYY", "Mar 4, 2026", "Mar 2026", "2026"),
        ("YYYY. M. D.", "2026. 3. 4.", "2026. 3.", "2026"),
        ("YYYY年M月D日", None, None, None),
        ("YYYY/MM/DD", "2026/03/04", "2026/03", "2026"),
    ],
)
def test_dates_are_printed_as_set_and_only_as_far_as_known(date_format, full, month, year):
    if full is None:
        with pytest.raises(InputError, match="not a format of dates"):
            voice(date_format=date_format)
        return
    say = voice(date_format=date_format)
    assert say.day(date(2026, 3, 4)) == full
    assert say.partial("2026-03") == month
    assert say.partial("2026") == year
    assert say.partial("spring 2011") == "spring 2011"
    assert say.partial("") == ""


@given(DAYS, DAYS)
def test_two_days_never_print_alike(one, other):
    say = voice(date_format="D MMM YYYY")
    assert (say.day(one) == say.day(other)) == (one == other)


@pytest.mark.parametrize("date_format", ["", "YYYY-MM", "MM/DD", "YYYY-MM-DD-DD", "tomorrow", "YYYY-MM-DD x"])
def test_a_format_without_one_year_month_and_day_is_refused(date_format):
    with pytest.raises(InputError) as caught:
        voice(date_format=date_format)
    assert "DD.MM.YYYY" in str(caught.value)


def test_sentences_of_verdicts_take_the_clinic_s_dates_and_decimal_sign():
    say = voice(date_format="DD.MM.YYYY", decimal="comma")
    told = "Fell: −65 % (97.5 % interval −80 % to −42 %) since 2026-03-04 by trichotrack 0.1.0."
    expected = "Fell: −65 % (97,5 % interval −80 % to −42 %) since 04.03.2026 by trichotrack 0.1.0."
    assert say.said(told) == expected
    assert voice().said(told) == told


def test_the_report_prints_no_other_date_and_no_decimal_point(tmp_path):
    page = Page(render_html(a_story(), voice(date_format="DD.MM.YYYY", decimal="comma"), made=date(2026, 3, 5)))
    assert not re.search(r"\d{4}-\d{2}", page.text)
    assert "04.03.2026" in page.text
    assert "in 0,40 cm²" in page.text
    numbers = re.findall(r"(?<![\d.])\d+\.\d+(?![\d.])", page.text)
    # Dates of month and year, and the weights in the sentence on SALT, which a translator writes.
    assert {number for number in numbers if not re.match(r"\d{2}\.\d{4}$", number)} <= {"0.40", "0.24", "0.18"}


@pytest.mark.parametrize("language", languages())
def test_every_language_says_everything(language):
    say = voice(language)
    assert set(say.texts) == set(voice().texts)
    assert all(text.strip() for text in say.texts.values())


def test_a_catalogue_of_one_s_own_is_taken_or_refused_with_every_fault(tmp_path):
    own = tmp_path / "my.toml"
    content = ENGLISH.read_text("utf-8")
    own.write_text(
        content.replace('name = "SALT"', 'name = "Skala"')
        + '\n[[sentence]]\nenglish = "{label} fell since baseline: {change} ({level} interval {interval})."\n'
        'text = "{label}: minus {change}; {interval} ({level})"\n'
        '[[sentence]]\nenglish = "Black dots"\ntext = "Punkte"\n',
        encoding="utf-8",
    )
    say = voice(str(own))
    assert say("salt.name") == "Skala"
    told = "Black dots fell since baseline: −93 % (98.75 % interval −98 % to −77 %)."
    assert say.said(told) == "Punkte: minus −93 %; −98 % to −77 % (98.75 %)"
    broken = content.replace('name = "SALT"\n', "").replace("of {total}", "of all") + '\n[more]\nx = "y"\n'
    own.write_text(broken, encoding="utf-8")
    voices._content.cache_clear()
    with pytest.raises(InputError) as caught:
        voice(str(own))
    found = {(problem.column, problem.message) for problem in caught.value.problems}
    assert ("salt.name", "lacks this text") in found
    assert ("more.x", "has a text that the report does not know") in found
    assert ("quality.share", "has other places") in found


@pytest.mark.parametrize(
    "broken",
    [
        '[[sentence]]\nenglish = "{a} fell"\n',
        '[[sentence]]\nenglish = "{a} fell, {a}"\ntext = "{a}"\n',
        '[[sentence]]\nenglish = "{1} fell"\ntext = "x"\n',
        '[[sentence]]\nenglish = "{a} fell"\ntext = "{b} fiel"\n',
        '[[sentence]]\nenglish = "{a} fell"\ntext = "{a fiel"\n',
        "sentence = 3\n",
    ],
)
def test_a_broken_sentence_of_a_catalogue_is_told_and_no_stack_trace(broken, tmp_path):
    own = tmp_path / "my.toml"
    text = ENGLISH.read_text("utf-8")
    own.write_text(broken + text if broken.startswith("sentence") else text + "\n" + broken, "utf-8")
    with pytest.raises(InputError, match="is not a sentence"):
        voice(str(own))
    own.write_bytes(ENGLISH.read_bytes() + b"# \xff")
    voices._content.cache_clear()
    with pytest.raises(InputError, match="UTF-8"):
        voice(str(own))
    own.write_text(text.replace('subtitle = "', 'subtitle = "{'), "utf-8")
    voices._content.cache_clear()
    with pytest.raises(InputError, match="has other places"):
        voice(str(own))


def test_an_unknown_language_is_told_with_those_there_are():
    with pytest.raises(InputError, match="en"):
        voice("tlh")


def test_every_text_of_the_catalogue_is_used():
    used = {key.rpartition(".")[2] for key in voice().texts}
    sources = "".join(path.read_text("utf-8") for path in [*ROOM.glob("*.py"), ROOM.parent / "cli" / "report.py"])
    # Put together where they are used, of a verdict's outcome, a reference or a month.
    made = {"cannot_tell", "no_detectable_change", "since_baseline", "outcomes_single", "sentence_single"}
    made |= {f"m{month:02d}" for month in range(1, 13)}
    assert not [key for key in used - made if not re.search(rf"\b{key}\b", sources)]


PLACE = re.compile(r"\{(\w+)\}")
PSEUDO = re.compile(r"⟦[^⟦⟧]*⟧")


@pytest.fixture
def pseudo(tmp_path) -> voices.Voice:
    """A language in which every text is its places between brackets."""
    lines = []
    for line in ENGLISH.read_text("utf-8").splitlines():
        key, equals, text = line.partition(" = ")
        names = [name for _, name, _, _ in string.Formatter().parse(text) if name is not None] if equals else []
        said = f'{key} = "⟦{"⟧".join("{" + name + "}⟦" for name in names)}⟧"'
        lines.append(said if equals and key.isidentifier() else line)
    path = tmp_path / "pseudo.toml"
    path.write_text("\n".join(lines), encoding="utf-8")
    return voice(str(path))


def test_no_sentence_of_the_report_lies_outside_the_catalogue(pseudo):
    """In a language without words, no word is left but those of the record, of the verdicts and of the vocabulary."""
    story = with_clinic(a_story())
    text = Page(render_html(story, pseudo, made=date(2026, 3, 5))).text
    while PSEUDO.search(text):
        text = PSEUDO.sub(" ", text)
    said = (*(verdict.sentence for verdict in story.verdicts), *shared(story.verdicts))
    known = repr(story) + " ".join(said) + "active load hairs dots"
    known = known.casefold()
    left = {word for word in re.findall(r"[A-Za-z]{2,}", text) if word.casefold() not in known}
    assert left <= {"cm", "sha"}, left


def read_by(captures: list[ReadCapture], **figures: float) -> list[ReadCapture]:
    """The same captures, read by a model with figures on patients: recall by sign."""
    known = {
        name: {"recall": recall, "recall_se": 0.02, "false_positives_per_cm2": 3.0, "false_positives_per_cm2_se": 0.5}
        for name, recall in figures.items()
    }
    model = replace(MODEL, validated=True, figures=known)
    return [replace(one, reading=replace(one.reading, model=model)) for one in captures]


def every_sentence() -> set[str]:
    """Sentences of verdicts, and of what stands beside them, from visits that differ in all that is told of."""
    story, read = a_story(), {}
    for name, shown in {
        "change": (0, 1, 2, 3), "steady": (0, 0, 0), "few": (3, 3), "relapse": (0, 3, 0), "flare": (3, 0, 3),
    }.items():  # fmt: skip
        visits = [VisitStory(i, DATES[i], story.visits[v].captures) for i, v in enumerate(shown)]
        read[name] = [as_read(visit, one) for visit in visits for one in visit.captures]
    change, few = read["change"], read["few"]
    areas = [
        replace(one, reading=replace(one.reading, area_cm2=one.reading.area_cm2 * (1 + one.visit_id))) for one in change
    ]
    apart = [one for one in few if (one.site == "vertex") == (one.visit_id == 0)]
    partly = [replace(one, device="B" * (one.site == "vertex") * one.visit_id) for one in few]
    alike = {"black_dot": 0.9, "broken_hair": 0.85, "tapering_hair": 0.8}
    models = [read_by(change, **alike), read_by(change, **{**alike, "tapering_hair": 0.4}), read_by(change)]
    reviewed = [[replace(one, reviewed=one.visit_id >= since) for one in change] for since in (0, 1)]
    told: list[str] = []
    for captures in (*read.values(), areas, apart, partly, *models, *reviewed):
        for judging in (USUAL, Judging(cv=0.02, stable_ratio=3), Judging(cv=0.3, cv_df=20)):
            for synthetic in (True, False):
                verdicts = patient_verdicts(captures, synthetic=synthetic, judging=judging)
                told += [headline(verdicts), *shared(verdicts)]
                told += [text for one in verdicts for text in (one.sentence, one.reason, *beside(one))]
    some, none = SiteCounts("vertex", 3, 0.4, 1, 0.4), SiteCounts("vertex", 0, 0.4, 0, 0.4)
    for site, cv in ((some, 0.0), (some, 0.9), (none, 0.15), (replace(some, count0=40, count1=20), 0.01)):
        told.append(what_it_takes([site], cv=cv, level=0.001))
    told += [one.sentence for one in by_site([some, none], cv=0.15, level=0.05, changed=False)]
    return {*told}


def test_the_catalogue_lists_a_pattern_for_every_sentence_of_a_verdict():
    """Said by these patterns in a language without words, no English is left but labels and names of sites."""
    listed = re.findall(r'^#   english = "(.+)"$', ENGLISH.read_text("utf-8").partition("[page]")[2], re.MULTILINE)
    assert len(listed) == len(set(listed)) > 60
    entries = [
        {"english": one, "text": " ".join(f"{{{name}}}" for name in PLACE.findall(one)) or "·"} for one in listed
    ]
    content = {"sentence": entries}
    say = replace(voice(), sentences=voices._sentences(content, "listed"))
    kept = "active load black dots broken tapering hairs short vellus vertex occipital cm B"  # labels, names, units
    kept += " two three four five six seven eight nine ten eleven twelve"
    kept += " of captures px per µm hair needed"  # why a reading refused a sign, in its own words
    names = set(re.findall("[a-zµ]+", kept.casefold())) | {"m"}
    told = every_sentence()
    for part in (
        "Corrected for",
        "not corrected",
        "the model finds",
        "stable",
        "not judged",
        "more fields",
        "hides",
        "other device",
        "have not been reviewed",
        "a person reviewed some",
        "no figures for",
        "Since the previous visit activity signs rose",
        "Since the previous visit activity signs fell",
    ):
        assert any(part.casefold() in text.casefold() for text in told), part
    left = {text: {word.casefold() for word in re.findall("[A-Za-z]+", say.said(text))} - names for text in told}
    assert not {text: words for text, words in left.items() if words}


def test_templates_hold_no_words_for_readers():
    page = re.sub(r"<style>.*?</style>", "", (ROOM / "report.html.j2").read_text("utf-8"), flags=re.DOTALL)
    assert not re.findall(r"[A-Za-z]{2,}", re.sub(r"\{[{%].*?[%}]\}|<[^>]*>", " ", page))
    typst = re.sub(r"//[^\n]*", "", (ROOM / "report.typ").read_text("utf-8"))
    strings = [one for line in typst.splitlines() for one in re.findall(r'"((?:[^"\\]|\\.)*)"', line)]
    assert not [one for one in strings if re.search(r"[a-z]{2,} [a-z]{2,}", one) and "<svg" not in one]
    assert not re.findall(
        r"(?<!\()\[(?!#text\]|#line\])[^\]]*[A-Za-z]{3,}[^\]]*\]", re.sub(r'"(?:[^"\\\n]|\\.)*"', "", typst)
    )


def test_no_source_of_the_report_holds_a_sentence():
    found = []
    # The cohort's page and the picture of matched hairs are in English, whatever the report's language.
    others = {path for name in ("cohort_*.py", "matched.py") for path in ROOM.glob(name)}
    for path in sorted({*ROOM.glob("*.py")} - others):
        tree = ast.parse(path.read_text("utf-8"))
        apart = set()  # docstrings, and what an error says to whoever typed the command
        for node in ast.walk(tree):
            error = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Problem"
            error |= isinstance(node, (ast.Assign, ast.AugAssign)) and "remedy" in ast.unparse(node).partition("=")[0]
            error |= isinstance(node, ast.Assign) and ast.unparse(node).startswith("message =")
            if error or isinstance(node, ast.Expr):
                apart |= {id(one) for one in ast.walk(node) if isinstance(one, ast.Constant)}
        found += [
            f"{path.name}:{node.lineno}: {node.value}"
            for node in ast.walk(tree)
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in apart
            if re.search(r"[A-Za-z]{3,} [a-z]{2,} [a-z]{2,}", node.value)
        ]
    assert not found
