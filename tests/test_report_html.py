"""The report as a page: what it must say, what it must never say, and that it needs nothing but itself."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from story_fixture import DATES, VELLUS_REFUSAL, a_story, a_treatment, first_visit_only
from trichotrack.pictures import overlay
from trichotrack.report import pictures, thumbnails
from trichotrack.report.drawing import corners, shape_of
from trichotrack.report.html import render_html, write_html
from trichotrack.report.page_one import NOTICES
from trichotrack.report.voice import voice
from trichotrack.report.words import summary
from trichotrack.signs import SIGNS
from trichotrack.visits.story import EventStory, LabValue, PatientFacts, PatientStory

SAY = voice()
FOOTER, CAVEAT, SALT_NOTE = SAY("page.footer"), SAY("one.caveat"), SAY("salt.note")
HOSTILE = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Tags with their attributes, and the text between them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.cells: list[tuple[str, str]] = []
        self.inside: list[str] = []
        self.feed(html)
        self.text = " ".join(self.text.split())

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.inside.append(tag)
        if tag in {"td", "th"}:
            self.cells.append((tag, ""))

    def handle_endtag(self, tag):
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data):
        if "style" not in self.inside:
            self.text += f"{data} "
            if self.cells and {"td", "th"} & set(self.inside):
                tag, text = self.cells[-1]
                self.cells[-1] = (tag, text + data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def story() -> PatientStory:
    return a_story()


@pytest.fixture(scope="module")
def html(story) -> str:
    return render_html(story, made=date(2026, 3, 5))


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def renamed(story: PatientStory, name: str) -> PatientStory:
    """Every text that a person types, replaced."""
    captures = tuple(
        replace(one, site=name, field=name, file=name, device=name, reviewed=True, reviewed_by=name)
        for one in story.visits[0].captures[:1]
    )
    series = tuple(replace(one, sites={name: next(iter(one.sites.values()))}) for one in story.series)
    return replace(
        story,
        patient=PatientFacts(name, aa_type=name, sex=name, onset=name, current_onset=name, atopy=name),
        headline=name,
        visits=(replace(story.visits[0], captures=captures), *story.visits[1:]),
        series=series,
        treatments=(a_treatment(1, name, name, "2025", "", unit=name, route=name, stop_reason=name, response=name),),
        events=(EventStory(name, 2),),
        labs=(LabValue(DATES[0], name, 4, name, high=3),),
        notices=(name,),
        assumptions=(name,),
        models=(name,),
    )


def test_nothing_is_fetched_and_nothing_runs(html, page):
    sources = [value for _, attributes in page.tags for key, value in attributes.items() if key in {"src", "srcset"}]
    links = [value for _, attributes in page.tags for key, value in attributes.items() if "href" in key]
    assert sources
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert all(link.startswith("#") for link in links)
    assert not page.all("script")
    assert not page.all("link")
    assert not re.search(r"url\(|@import|https?:", html)
    policy = next(one["content"] for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'")


def test_links_lead_to_places_on_the_page(page):
    places = {attributes["id"] for _, attributes in page.tags if "id" in attributes}
    links = [attributes["href"] for attributes in page.all("a")]
    assert links
    assert {link[1:] for link in links} <= places


def test_typed_texts_cannot_become_markup(story):
    page = Page(render_html(renamed(story, HOSTILE)))
    assert not page.all("script")
    assert not any(key.startswith("on") for _, attributes in page.tags for key in attributes)
    assert all(image["src"].startswith("data:") for image in page.all("img"))
    assert page.text.count("<script>alert('x')</script>") > 10


@pytest.mark.parametrize("name", ["바리시티닙 4 mg", "プレドニゾロン", "环孢素", "метотрексат µg"])
def test_names_in_any_script_survive(story, name):
    html = render_html(renamed(story, name))
    assert html.count(name) > 10


def test_the_page_can_be_read_without_seeing_it(page):
    assert page.all("html")[0]["lang"] == "en"
    assert all(header.get("scope") in {"col", "row", "rowgroup"} for header in page.all("th"))
    assert all(image["alt"].startswith("Capture of ") and ", 20" in image["alt"] for image in page.all("img"))
    named = [one for one in page.all("svg") if one.get("role") == "img"]
    assert len(named) > 15
    assert all(one["aria-labelledby"].split() for one in named)
    assert all(one.get("role") == "img" or one.get("aria-hidden") == "true" for one in page.all("svg"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(ids) == len(set(ids))
    assert {word for one in named for word in one["aria-labelledby"].split()} <= set(ids)


def test_summary_gives_each_outcome_its_verdict_and_reason(story, page):
    lines = summary(story, SAY)
    assert [line.name for line in lines] == [series.name for series in story.series]
    last = {v.name: v for v in story.verdicts_at(story.visits[-1].id) if v.against == "baseline"}
    text = page.text.replace("\N{NO-BREAK SPACE}", " ")
    for line in lines:
        assert (line.outcome, line.sentence) == (last[line.name].outcome, last[line.name].sentence)
        assert last[line.name].sentence.removeprefix("Synthetic patient: ") in text
        assert last[line.name].reason.lower() in text.lower()


def test_a_refused_sign_is_a_dash_with_its_reason_and_never_a_zero(story, page):
    vellus = story.series[-1]
    refused_at = DATES[1].isoformat()
    assert vellus.name == "short_vellus_hair"
    assert all(point.date != DATES[1] for point in vellus.pooled)
    rows = [i for i, cell in enumerate(page.cells) if cell == ("th", refused_at)]
    density_rows = [row for row in rows if "(" in page.cells[row + 1][1] and "cm²" in page.cells[row + 1][1]]
    assert len(density_rows) == 3  # pooled and two sites
    for row in density_rows:
        text = page.cells[row + len(story.series)][1]
        assert text.split() == ["—", "1"]
    assert f"Not counted: {VELLUS_REFUSAL}." in page.text


def test_zero_counted_is_printed_as_zero_with_its_interval(story, page):
    point = next(p for p in story.series[3].pooled if p.date == DATES[-1])
    assert point.count == 0
    assert any(text.strip().startswith("0 (0–") for tag, text in page.cells if tag == "td")


def test_no_sentence_calls_anything_improved(html, page):
    sentences = re.split(r"(?<=[.:;])\s", page.text)
    told = [sentence for sentence in sentences if re.search(r"improv|better|cured", sentence, re.IGNORECASE)]
    assert told
    assert all(re.search(r"(not|never|neither) improvement", sentence) for sentence in told), told
    assert CAVEAT in page.text


def test_what_must_be_said_is_said(story, page):
    for text in (FOOTER, SALT_NOTE, story.headline, *story.assumptions, *story.notices[1:]):
        assert text in page.text
    assert "Unreviewed: no person has reviewed any of the readings (16)." in page.text
    assert "Not validated on patients' captures." in page.text
    assert story.visits[0].captures[0].reading.model.sha256 in page.text
    assert "The capture is out of focus." in page.text


def test_only_a_synthetic_patient_gets_the_banner(story, page):
    assert any(one.get("class") == "banner" for one in page.all("p"))
    real = Page(render_html(replace(story, patient=replace(story.patient, synthetic=False))))
    assert not any(one.get("class") == "banner" for one in real.all("p"))


def test_notices_that_find_no_room_on_top_stand_with_quality(story):
    many = replace(story, notices=tuple(f"Notice number {i}." for i in range(9)))
    text = Page(render_html(many)).text
    assert all(text.count(f"Notice number {i}.") == 1 for i in range(9))
    assert text.index(f"Notice number {NOTICES - 1}.") < text.index("At the last visit")
    assert text.index("At the last visit") < text.index(f"Notice number {NOTICES}.")
    assert f"More to know ({9 - NOTICES}) under" in text


def test_reviewers_are_named_and_the_rest_called_unreviewed(story):
    first = story.visits[0]
    seen = tuple(replace(one, reviewed=True, reviewed_by="Dr A") for one in first.captures)
    text = Page(render_html(replace(story, visits=(replace(first, captures=seen), *story.visits[1:])))).text
    assert "Reviewed: 4 of 16 readings. The other 12 are unreviewed." in text
    assert "Dr A (4)" in text
    assert SAY("one.unreviewed") in text
    all_seen = tuple(
        replace(visit, captures=tuple(replace(one, reviewed=True, reviewed_by="Dr A") for one in visit.captures))
        for visit in story.visits
    )
    text = Page(render_html(replace(story, visits=all_seen, notices=()))).text
    assert "Reviewed: all 16 readings." in text
    assert text.count("Dr A (4)") == 4
    assert "nreviewed" not in text


@pytest.mark.parametrize(
    ("drugs", "said"),
    [(("Baricitinib", "Ciclosporin"), True), (("baricitinib", "methotrexate"), False), (("drug A", "drug B"), False)],
)
def test_what_the_source_says_of_the_combination_is_printed_with_it(story, drugs, said):
    treatments = tuple(a_treatment(i, drug, "4", "2025-10", "") for i, drug in enumerate(drugs))
    assert (SAY("one.combination") in Page(render_html(replace(story, treatments=treatments))).text) is said


def test_a_single_visit_compares_nothing(story):
    single = first_visit_only(story)
    text = Page(render_html(single)).text
    assert all(line.outcome == "" for line in summary(single, SAY))
    assert "Active load: one visit so far, nothing to compare with." in text
    assert "Change at each visit" not in text


def test_a_patient_without_visits_has_history_only(story):
    bare = replace(story, visits=(), series=(), verdicts=(), headline="No visit so far.")
    page = Page(render_html(bare))
    assert "No visit so far." in page.text
    assert "herbal medicine" in page.text
    assert not page.all("img")


def test_without_a_scale_counts_are_given_and_no_density(story):
    def unscaled(point):
        return replace(point, exposure_cm2=None, density_per_cm2=None, low=None, high=None)

    series = tuple(
        replace(
            one,
            pooled=tuple(map(unscaled, one.pooled)),
            sites={site: tuple(map(unscaled, points)) for site, points in one.sites.items()},
        )
        for one in story.series
    )
    text = Page(render_html(replace(story, series=series, verdicts=()))).text
    assert f"{series[0].pooled[0].count:g} counted, no scale" in text
    assert SAY("missing.no_density") in text


def test_without_a_common_site_each_site_stands_alone(story):
    series = tuple(replace(one, pooled_sites=(), pooled=()) for one in story.series)
    page = Page(render_html(replace(story, series=series)))
    assert "Pooled over vertex" not in page.text
    assert "Site: vertex" in page.text
    assert "No site was counted at every visit" in page.text


def test_a_sign_refused_everywhere_is_not_said_to_lack_a_common_site(story):
    series = tuple(replace(one, pooled_sites=(), pooled=(), sites={}) for one in story.series)
    page = Page(render_html(replace(story, series=series)))
    assert "No site was counted at every visit" not in page.text


def test_a_picture_that_cannot_be_read_is_told(story):
    first = story.visits[0]
    broken = (replace(first.captures[0], picture=b"not a picture"), *first.captures[1:])
    page = Page(render_html(replace(story, visits=(replace(first, captures=broken), *story.visits[1:]))))
    assert "The stored picture cannot be read." in page.text
    assert len(page.all("img")) == 11


def test_repeats_are_shown_once_and_counted(story):
    first = story.visits[0]
    repeat = replace(first.captures[0], id=999, n="2")
    doubled = replace(story, visits=(replace(first, captures=(*first.captures, repeat)), *story.visits[1:]))
    page = Page(render_html(doubled))
    assert len(page.all("img")) == 12
    assert "1 of 2 repeats" in page.text
    assert "Of repeats of one field the first is shown" in page.text


def test_the_same_story_gives_the_same_bytes(story, html):
    assert render_html(story, made=date(2026, 3, 5)) == html


def test_pictures_keep_to_their_budget_and_carry_no_exif(story, monkeypatch):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (480, 640, 3), dtype=np.uint8))
    exif = Image.Exif()
    exif[0x010E] = "name of the patient"
    buffer = io.BytesIO()
    noise.save(buffer, "JPEG", quality=95, exif=exif)
    first = story.visits[0]
    many = tuple(
        replace(first.captures[0], id=i, field=f"f{i}", picture=buffer.getvalue(), picture_size_px=(640, 480))
        for i in range(12)
    )
    monkeypatch.setattr(pictures, "BUDGET_BYTES", 300_000)
    strips, _ = pictures.strips(replace(story, visits=(replace(first, captures=many),)), SAY)
    contents = [one.jpeg for strip in strips for one in strip.pictures]
    assert len(contents) == 12
    assert sum(map(len, contents)) <= 300_000
    assert all(not Image.open(io.BytesIO(content)).getexif() for content in contents)
    assert all(b"name of the patient" not in content for content in contents)


def test_a_full_report_stays_below_five_megabytes():
    # base64 makes four bytes of three; marks, tables and drawings of 120 pictures take the rest.
    assert pictures.BUDGET_BYTES * 4 / 3 < 3_700_000


def test_each_field_is_shown_at_the_first_the_previous_and_the_last_visit(story):
    strips, remark = pictures.strips(story, SAY)
    assert [strip.title for strip in strips] == [
        "occipital, field a", "occipital, field b", "vertex, field a", "vertex, field b",
    ]  # fmt: skip
    for strip in strips:
        assert [one.when for one in strip.pictures] == [
            f"First visit, {DATES[0]}", f"Previous visit, {DATES[2]}", f"Last visit, {DATES[3]}",
        ]  # fmt: skip
    assert "Visits in between without pictures here: 1" in remark


def test_a_field_not_captured_at_a_visit_leaves_a_frame_that_says_so(story):
    last = story.visits[-1]
    bare = replace(story, visits=(*story.visits[:-1], replace(last, captures=last.captures[1:])))
    strips, _ = pictures.strips(bare, SAY)
    missing = [one.missing for strip in strips for one in strip.pictures if not one.jpeg]
    assert missing == [SAY("pictures.not_captured")]


def test_of_very_many_fields_some_are_shown(story, monkeypatch):
    monkeypatch.setattr(pictures, "MOST_PICTURES", 6)
    strips, remark = pictures.strips(story, SAY)
    assert len(strips) == 2
    assert "2 fields are shown" in remark


@pytest.mark.parametrize("sign", SIGNS, ids=lambda sign: sign.name)
def test_marks_have_the_shapes_of_the_overlay_pictures(sign):
    white = np.full((1000, 1000, 3), 255, np.uint8)
    drawn = np.asarray(overlay(white, [(sign.name, 500.0, 500.0, None)], {}))[:1000] < 250
    marked = drawn.any(axis=2)
    radius = 11.0
    ours = corners(shape_of(sign.name), (500, 500), radius) or [
        (500 + radius * np.cos(angle), 500 + radius * np.sin(angle)) for angle in np.linspace(0, 6.28, 16)
    ]
    assert all(marked[round(y - 0.5), round(x - 0.5)] for x, y in ours)
    ys, xs = np.nonzero(marked)
    reach = max(np.hypot(x - 500, y - 500) for x, y in ours)
    assert np.hypot(xs + 0.5 - 500, ys + 0.5 - 500).max() < reach + 6
    assert not marked[500, 500]


def test_marks_lie_where_the_reading_has_them(story):
    capture = story.visits[0].captures[0]
    half = replace(capture, picture_size_px=(320, 240))
    dot = next(item for item in capture.reading.objects if item.sign == "black_dot")
    radius = round(thumbnails.MARK_SHARE * (320 * 240) ** 0.5, 1)
    svg = pictures.marks_svg(half)
    starts = [(float(x), float(y)) for x, y in re.findall(r"M([-\d.]+) ([-\d.]+)a", svg)]
    assert any(abs(x + radius - dot.x / 2) < 0.11 and abs(y - dot.y / 2) < 0.11 for x, y in starts)
    assert 'viewBox="0 0 320 240"' in svg


def test_a_failed_report_leaves_the_old_one(story, tmp_path, monkeypatch):
    path = tmp_path / "report.html"
    path.write_text("old")

    def stop(*_args, **_options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.replace", stop)
    with pytest.raises(OSError, match="No space"):
        write_html(story, path)
    assert path.read_text() == "old"
    assert [one.name for one in tmp_path.iterdir()] == ["report.html"]
