"""The report as a PDF: the same sentences as the HTML, page one on one page, and letters of any script or a warning."""

from __future__ import annotations

import importlib.util
import io
import re
from dataclasses import replace
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from story_fixture import SALT, a_story, a_treatment, as_read, first_visit_only, with_clinic
from test_report_html import renamed
from trichotrack.report import fonts
from trichotrack.report import pdf as pdfs
from trichotrack.report.fonts import BOX, choose_fonts
from trichotrack.report.html import render_html
from trichotrack.report.pdf import render_pdf
from trichotrack.report.voice import voice
from trichotrack.runtime.reading import SignReading
from trichotrack.signs import SIGN
from trichotrack.visits.series import sign_series
from trichotrack.visits.story import PatientStory, VisitStory
from trichotrack.visits.verdict import headline, patient_verdicts

pytest.importorskip("typst")
pdfium = pytest.importorskip("pypdfium2")

SAY = voice()
MADE = date(2026, 3, 5)
SIZES_PT = {"a4": (595.3, 841.9), "letter": (612.0, 792.0)}
HOSTILE = (
    '#panic("x") *b* _i_ $x$ @y <z> ```raw``` "];#include "/etc/passwd" \\u{41} '
    "</td><script>alert(1)</script> & {{ x }}"
)
cjk = pytest.mark.skipif(importlib.util.find_spec("noto_cjk_sans_otc") is None, reason="the fonts of the extra cjk")


class Shown(HTMLParser):
    """Every text that a reader of the HTML sees, drawings' letters included, but for its buttons."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.inside: list[tuple[str, str]] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        if tag not in {"meta", "br", "img", "input"}:
            self.inside.append((tag, dict(attrs).get("class") or ""))

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop()[0] != tag:
            pass

    def handle_data(self, data):
        hidden = any(
            tag in {"style", "title", "desc"} or {"screen", "back"} & set(of.split()) for tag, of in self.inside
        )
        if data.strip() and not hidden:
            self.texts.append(data)


def squeezed(text: str) -> str:
    """Without spaces, hyphens and what a line break leaves: a PDF has lines, not sentences."""
    return re.sub(r"[\s\u200b\u00ad\ufffe\x02-]|\N{NO-BREAK SPACE}", "", text)


def pages_of(content: bytes) -> list[str]:
    document = pdfium.PdfDocument(content)
    try:
        return [page.get_textpage().get_text_range() for page in document]
    finally:
        document.close()


@pytest.fixture(scope="module")
def story() -> PatientStory:
    return a_story()


@pytest.fixture(scope="module")
def pdf(story) -> bytes:
    return render_pdf(story, made=MADE).content


def crowded(story: PatientStory) -> PatientStory:
    """Twelve visits, every sign of the vocabulary, forty treatments, long reasons and many notices."""
    visits = []
    for i in range(12):
        base = story.visits[i % 4]
        captures = []
        for capture in base.captures:
            signs = {name: SignReading("counted", count=7, estimate=7.0, density_per_cm2=70.0) for name in SIGN}
            signs |= dict(capture.reading.signs)
            captures.append(replace(capture, id=100 * i + capture.id, reading=replace(capture.reading, signs=signs)))
        visits.append(VisitStory(i + 1, date(2024, 1, 8) + timedelta(days=61 * i), tuple(captures)))
    read = [as_read(visit, capture) for visit in visits for capture in visit.captures]
    verdicts = patient_verdicts(read, synthetic=True)
    long = "no effect after sixteen weeks at the highest dose that was tolerated, then a rash on both arms " * 12
    treatments = tuple(
        a_treatment(i, f"drug number {i}", f"{i}", f"{1995 + i % 30}", "", stop_reason=long, response=long)
        for i in range(40)
    )
    return replace(
        story,
        visits=tuple(visits),
        series=sign_series(read),
        verdicts=verdicts,
        headline=headline(verdicts),
        treatments=treatments,
        notices=tuple(f"Notice number {i}: {long[:180]}." for i in range(8)),
    )


def without_vellus(story: PatientStory) -> PatientStory:
    return replace(story, salt=(), treatments=())


CASES = {
    "as it is": lambda story: story,
    "crowded": crowded,
    "with all that a clinic enters": with_clinic,
    "one visit": first_visit_only,
    "no SALT, no treatment": without_vellus,
    "no visit": lambda story: replace(story, visits=(), series=(), verdicts=(), headline="No visit so far."),
    "typed by someone hostile": lambda story: renamed(story, HOSTILE),
    "a word without end": lambda story: renamed(story, "x" * 400),
}


@pytest.mark.parametrize("paper", ["a4", "letter"])
@pytest.mark.parametrize("case", CASES)
def test_page_one_is_one_page(story, paper, case):
    content = render_pdf(CASES[case](story), made=MADE, paper=paper).content
    document = pdfium.PdfDocument(content)
    assert document[0].get_size() == pytest.approx(SIZES_PT[paper], abs=0.5)
    first, second = (squeezed(document[i].get_textpage().get_text_range()) for i in (0, 1))
    assert squeezed(SAY("one.caveat")) in first
    assert squeezed(SAY("page.footer")) in first
    assert squeezed(SAY("one.caveat")) not in second
    # Nothing is set beyond the margins.
    text = document[0].get_textpage()
    width, height = document[0].get_size()
    for i in range(text.count_rects()):
        left, bottom, right, top = text.get_rect(i)
        assert 20 < left <= right < width - 15, text.get_text_bounded(left, bottom, right, top)
        assert 10 < bottom <= top < height - 15
    document.close()


@pytest.mark.parametrize("case", ["with all that a clinic enters", "one visit", "typed by someone hostile"])
def test_the_pdf_holds_every_sentence_of_the_html(story, case):
    told = CASES[case](story)
    html = Shown(render_html(told, made=MADE)).texts
    text = squeezed("".join(pages_of(render_pdf(told, made=MADE).content)))
    assert len(html) > 40
    assert not [one for one in html if squeezed(one) not in text]


def test_what_was_typed_is_printed_as_typed_and_never_run(story):
    text = squeezed("".join(pages_of(render_pdf(renamed(story, HOSTILE), made=MADE).content)))
    assert text.count(squeezed(HOSTILE)) > 8
    assert "root:" not in text


def test_the_template_takes_texts_as_strings_only():
    template = Path(pdfs.__file__).with_name("report.typ").read_text("utf-8")
    assert not re.search(
        r"#import|#include|\beval\(|\bread\(|\bplugin\(|@preview|https?:(?!//www\.w3\.org/2000/svg)", template
    )
    assert "json(bytes(sys.inputs.data))" in template


@cjk
@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("바리시티닙 중단 사유", "Noto Sans CJK KR"),
        ("プレドニゾロン 投与", "Noto Sans CJK JP"),
        ("环孢素 疗效", "Noto Sans CJK SC"),
    ],
)
def test_names_in_korean_japanese_and_chinese_come_out_right(story, name, family, tmp_path):
    made = render_pdf(renamed(story, name), made=MADE, system_fonts=False)
    text = squeezed("".join(pages_of(made.content)))
    assert made.missing == ()
    assert text.count(squeezed(name)) > 10
    assert choose_fonts([name], tmp_path, system=False).families[-1] == family


def test_letters_that_no_font_has_are_named_and_never_a_silent_box(story, monkeypatch):
    monkeypatch.setattr(fonts, "_COLLECTIONS", ())
    told = replace(story, treatments=(a_treatment(1, "바리 4", "4", "2025-10", "", stop_reason="", response=""),))
    made = render_pdf(told, made=MADE, system_fonts=False)
    first = "".join(pages_of(made.content)[:1])
    assert made.missing == ("리", "바")
    assert "U+B9AC U+BC14" in made.remark
    assert squeezed(made.remark) in squeezed(first)
    assert f"{BOX}{BOX} 4" in first


def test_without_any_packaged_font_the_report_is_still_set(story, monkeypatch, tmp_path):
    monkeypatch.setattr(fonts, "_COLLECTIONS", ())
    monkeypatch.setattr(fonts, "_COPIED", fonts._COPIED[1:])
    assert choose_fonts(["a"], tmp_path, system=False).families[:1] == ("DejaVu Sans",)
    text = squeezed(pages_of(render_pdf(story, made=MADE, system_fonts=False).content)[0])
    assert squeezed("Activity signs fell; regrowth not shown.") in text


def test_a_font_of_last_resort_is_never_chosen(tmp_path):
    chosen = choose_fonts(["abc \U0001f642 \ue000"], tmp_path)
    assert not [family for family in chosen.families if "resort" in family.casefold()]
    assert "\ue000" in chosen.missing


def test_pictures_carry_no_exif(story):
    exif = Image.Exif()
    exif[0x010E] = "name of the patient"
    buffer = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (480, 640, 3), dtype=np.uint8)
    Image.fromarray(noise).save(buffer, "JPEG", quality=90, exif=exif)
    first = story.visits[0]
    captures = tuple(replace(one, picture=buffer.getvalue()) for one in first.captures)
    content = render_pdf(
        replace(story, visits=(replace(first, captures=captures), *story.visits[1:])), made=MADE
    ).content
    assert b"\xff\xd8\xff" in content
    assert b"name of the patient" not in content
    assert b"Exif\0" not in content


def test_the_same_story_gives_the_same_bytes(story, pdf):
    assert render_pdf(story, made=MADE).content == pdf


def test_a_pdf_is_no_larger_than_mail_takes(pdf):
    assert len(pdf) < 2_000_000


def test_the_pdf_is_tagged_for_screen_readers(story, pdf):
    assert b"/MarkInfo" in pdf or b"pdfuaid" in pdf


def test_a_catalogue_of_one_s_own_is_set_too(story, tmp_path):
    own = tmp_path / "clinic-texts.toml"
    english = Path(pdfs.__file__).with_name("catalogue") / "en.toml"
    own.write_text(english.read_text("utf-8").replace("Patient {patient}", "Person {patient}"), encoding="utf-8")
    say = voice(str(own))
    assert say.language == "und"
    assert "Person P001" in pages_of(render_pdf(story, say, made=MADE).content)[0]


def test_every_page_says_what_the_tool_is_not(pdf):
    assert all(squeezed(SAY("page.footer")) in squeezed(page) for page in pages_of(pdf))


def test_each_salt_of_the_record_is_in_the_table(pdf):
    text = "".join(pages_of(pdf))
    assert all(point.date.isoformat() in text for point in SALT)


def test_without_typst_a_pdf_is_refused_in_a_sentence(story, monkeypatch):
    from trichotrack.problems import InputError

    monkeypatch.setitem(__import__("sys").modules, "typst", None)
    with pytest.raises(InputError, match="typst"):
        render_pdf(story)
