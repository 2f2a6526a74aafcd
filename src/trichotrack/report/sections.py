"""What follows page one: pictures, quality, review, every figure, treatments and methods."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from trichotrack.report import bars, panels, words
from trichotrack.report.axis import TimeAxis
from trichotrack.report.blocks import (
    Block,
    Facts,
    Head,
    Heading,
    Items,
    Legend,
    PanelRow,
    Panels,
    Paragraph,
    Rows,
    Section,
    Table,
)
from trichotrack.report.drawing import sign_icon
from trichotrack.report.panels import Frame
from trichotrack.report.pictures import strips
from trichotrack.report.voice import Voice
from trichotrack.report.words import Cell, Footnotes
from trichotrack.signs import SIGN
from trichotrack.visits.amendments import Amended
from trichotrack.visits.history import taper_steps
from trichotrack.visits.series import SignSeries
from trichotrack.visits.story import CaptureStory, PatientStory, TreatmentStory, VisitStory
from trichotrack.visits.verdict import beside, shared

COLUMNS = 6
"""Outcomes side by side in a table; more begin another table."""

_SITE_HEIGHT = 40.0


def captures_of(story: PatientStory) -> list[CaptureStory]:
    return [capture for visit in story.visits for capture in visit.captures]


def captures(story: PatientStory, say: Voice) -> Section | None:
    """Each field at the first, the previous and the last visit, with its marks."""
    found, remark = strips(story, say)
    if not found:
        return None
    read = {name for capture in captures_of(story) for name in capture.reading.signs}
    legend = tuple(
        (sign_icon(name, SIGN[name].colour), words.sign_label(name, say)) for name in SIGN if name in read
    )  # fmt: skip
    note = " ".join(text for text in (say("pictures.shaft"), say("pictures.counts"), remark) if text)
    title = {1: "title_one", 2: "title_two"}.get(len(story.visits), "title")
    return Section(
        "captures", say(f"pictures.{title}"), (Legend(legend), Paragraph(note, "small"), *found), kind="captures"
    )  # fmt: skip


def quality(story: PatientStory, say: Voice, more_notices: Sequence[str]) -> Section:
    """Flags, refusals and what found no room on page one."""
    blocks: list[Block] = [Items(tuple(more_notices))] if more_notices else []
    rows = _remarks(story, say)
    if rows:
        heads = tuple(Head(say(f"quality.{key}")) for key in ("visit", "captures", "remarks"))
        blocks.append(Table(heads, (Rows("", rows),), widths=(1.1, 2.4, 5)))
    else:
        blocks.append(Paragraph(say("quality.none", count=len(captures_of(story)))))
    return Section("quality", say("quality.title"), tuple(blocks))


def review(story: PatientStory, say: Voice) -> Section | None:
    """Which readings a person made or accepted, by visit."""
    everything = captures_of(story)
    if not everything:
        return None
    seen = sum(capture.reviewed for capture in everything)
    key = "all" if seen == len(everything) else "some" if seen else "nothing"
    said = say(f"review.{key}", count=seen, total=len(everything), rest=len(everything) - seen)
    rows = tuple(_review_row(visit, say) for visit in story.visits)
    heads = tuple(Head(say(f"review.{name}")) for name in ("visit", "reviewed", "by", "kept"))
    blocks = (
        Paragraph(said, "" if key == "all" else "strong"),
        Table(heads, (Rows("", rows),), widths=(1.1, 1.3, 4, 1.3)),
        Paragraph(say("review.note"), "small"),
    )
    return Section("review", say("review.title"), blocks)


def _review_row(visit: VisitStory, say: Voice) -> tuple[Cell, ...]:
    names: dict[str, int] = {}
    for capture in visit.captures:
        if capture.reviewed:
            name = capture.reviewed_by or say("value.not_named")
            names[name] = names.get(name, 0) + 1
    by = say("value.list_join").join(say("review.by_count", name=name, count=n) for name, n in sorted(names.items()))
    share = say("review.share", count=sum(names.values()), total=len(visit.captures))
    kept = sum(capture.earlier_readings for capture in visit.captures)
    return Cell(say.day(visit.date)), Cell(share), Cell(by or say("review.nobody")), Cell(str(kept))


def amended(story: PatientStory, say: Voice) -> Section | None:
    """What was entered wrongly and put right, by whom and why; rows that were amended alike are one."""
    if not story.amended:
        return None
    heads = tuple(Head(say(f"amended.{name}")) for name in ("day", "what", "by", "reason"))
    alike: dict[object, list[Amended]] = {}
    for one in story.amended:
        alike.setdefault((one.day, one.table, one.changes, one.author, one.reason), []).append(one)
    rows = tuple(
        (
            Cell(say.day(first.day)),
            Cell(words.capitalised(first.sentence), (say("amended.alike", count=len(more)),) if more else ()),
            Cell(first.author),
            Cell(first.reason),
        )
        for first, *more in alike.values()
    )
    blocks = (Paragraph(say("amended.note"), "small"), Table(heads, (Rows("", rows),), widths=(1.1, 4, 1.5, 2.5)))
    return Section("amended", say("amended.title"), blocks)


def figures(story: PatientStory, say: Voice) -> Section | None:
    """Density of every outcome at every visit, pooled and by site, with the reason for each gap."""
    if not story.series or not story.visits:
        return None
    notes = Footnotes()
    reviewed = all(capture.reviewed for capture in captures_of(story))
    caption = say("figures.caption" if reviewed else "figures.caption_unreviewed")
    sites = list(dict.fromkeys(site for series in story.series for site in series.sites))
    pooled = next((series.pooled_sites for series in story.series if series.pooled_sites), ())
    titles: list[tuple[str, str | None]] = []
    if pooled:
        titles.append((say("figures.pooled", sites=", ".join(site or words.DASH for site in pooled)), None))
    if len(sites) > 1 or not pooled:
        titles += [(_site_title(site, say), site) for site in sites]
    blocks: list[Block] = []
    for i, chunk in enumerate(_chunks(story.series)):
        groups = tuple(
            Rows(title, tuple(_density_row(visit, chunk, site, notes, say) for visit in story.visits))
            for title, site in titles
        )
        blocks.append(_by_sign(chunk, groups, "" if i else caption, say))
    if notes.texts:
        blocks.append(Items(tuple(notes.texts), numbered=True))
    blocks += _by_site(story, sites, say)
    return Section("figures", say("figures.title"), tuple(blocks))


def _density_row(
    visit: VisitStory, series: Sequence[SignSeries], site: str | None, notes: Footnotes, say: Voice
) -> tuple[Cell, ...]:
    return Cell(say.day(visit.date)), *(words.density_cell(one, visit, site, notes, say) for one in series)


def _by_sign(series: Sequence[SignSeries], groups: tuple[Rows, ...], caption: str, say: Voice) -> Table:
    heads = (
        Head(say("figures.visit")),
        *(Head(words.capitalised(say.said(one.label)), sign_icon(one.name, one.colour)) for one in series),
    )
    return Table(heads, groups, caption, (1.15, *([1.6] * len(series))))


def _chunks(series: Sequence[SignSeries]) -> list[Sequence[SignSeries]]:
    tables = -(-len(series) // COLUMNS)
    wide = -(-len(series) // tables)
    return [series[i : i + wide] for i in range(0, len(series), wide)]


def _site_title(site: str, say: Voice) -> str:
    return say("figures.site", site=site) if site else say("pictures.site_not_named")


def _by_site(story: PatientStory, sites: Sequence[str], say: Voice) -> list[Block]:
    """Drawings by site; none where one site only is what page one shows."""
    frame = panels.frame_of(story, say)
    if frame is None or not sites or (len(sites) == 1 and all(series.pooled for series in story.series)):
        return []
    key = Legend(tuple((panels.site_key_svg(i), site or words.DASH) for i, site in enumerate(sites)))
    # Nothing lies before the window here: all of the width is for the visits.
    close = Frame(TimeAxis(frame.axis.first, frame.axis.last, panels.LEFT, panels.RIGHT), story.visits, say)
    rows = [PanelRow("dates", svg=panels.dates_svg(close, story, "site-dates"))]
    rows += [
        PanelRow(
            "outcome",
            name=words.capitalised(say.said(one.label)),
            icon=sign_icon(one.name, one.colour),
            figures=say("value.per_cm2"),
            svg=panels.site_svg(close, one, sites, _SITE_HEIGHT),
        )
        for one in story.series
    ]
    rows.append(PanelRow("ticks", svg=panels.ticks_svg(close, "site-ticks")))
    return [Heading(say("figures.by_site")), key, Panels(tuple(rows), say("figures.by_site_caption"))]


def changes(story: PatientStory, say: Voice) -> Section | None:
    """The verdict of every outcome at every visit, against baseline and previous; beside those at the last, why."""
    if not story.verdicts:
        return None
    notes = Footnotes()
    caption = say("change.caption_synthetic" if story.patient.synthetic else "change.caption")
    blocks: list[Block] = []
    for i, chunk in enumerate(_chunks(story.series)):
        groups = []
        for against in ("baseline", "previous"):
            rows = []
            for visit in story.visits[1:]:
                here = {v.name: v for v in story.verdicts_at(visit.id) if v.against == against}
                if here:
                    cells = (words.verdict_cell(here.get(one.name), notes, say) for one in chunk)
                    rows.append((Cell(say.day(visit.date)), *cells))
            if rows:
                groups.append(Rows(say(f"change.since_{against}"), tuple(rows)))
        blocks.append(_by_sign(chunk, tuple(groups), "" if i else caption, say))
    if notes.texts:
        blocks.append(Items(tuple(notes.texts), numbered=True))
    blocks += _reasons(story, say)
    blocks += [Paragraph(say.said(text), "small") for text in shared(story.verdicts)]
    return Section("change", say("change.title"), tuple(blocks))


def _reasons(story: PatientStory, say: Voice) -> list[Block]:
    """Why each verdict of the last visit is what it is; below, its correction, each site, and what it would take."""
    groups = []
    for against in ("baseline", "previous"):
        found = [one for one in story.verdicts_at(story.visits[-1].id) if one.against == against]
        if found:
            rows = tuple(
                (
                    Cell(words.capitalised(say.said(one.label))),
                    Cell(words.outcome_shown(one, say)),
                    Cell(words.as_sentence(say.said(one.reason)), tuple(say.said(text) for text in beside(one))),
                )
                for one in found
            )
            groups.append(Rows(say(f"change.since_{against}"), rows))
    blocks: list[Block] = [Heading(say("change.reasons"))] if groups else []
    if groups:
        heads = tuple(Head(say(f"change.{name}")) for name in ("outcome", "verdict", "why"))
        several = any(verdict.by_site for verdict in story.verdicts)
        blocks.append(Table(heads, tuple(groups), say("change.caption_sites") if several else "", (1.3, 1.4, 5)))
    untold = [f"{line.label}: {line.reason}" for line in words.summary(story, say) if line.reason and not line.outcome]
    return [*blocks, Items(tuple(untold))] if untold else blocks


def history(story: PatientStory, say: Voice) -> Section | None:
    """Every treatment with its doses, reasons for stopping and responses; every SALT with its regions."""
    if not story.treatments and not story.salt:
        return None
    blocks: list[Block] = []
    if story.treatments:
        names = ("drug", "dose", "route", "start", "end", "stop_reason", "response_head")
        heads = tuple(Head(say(f"treatment.{name}")) for name in names)
        rows = []
        for one in story.treatments:
            going = say("treatment.going_on") if bars.going_on(one) else ""
            parts = (one.route, say.partial(one.start), say.partial(one.end) or going)
            cells = (*parts, one.stop_reason, one.response)
            given = Cell(bars.dose(one) or words.DASH, _taper(one, say))
            rows.append((Cell(one.drug), given, *(Cell(part or words.DASH) for part in cells)))
        blocks.append(Table(heads, (Rows("", tuple(rows)),), widths=(2.2, 2.0, 1.2, 1.3, 1.3, 2.1, 2.0)))
    if story.salt:
        heads = tuple(Head(say(f"salt.{name}")) for name in ("date", "total", "top", "back", "left", "right"))
        rows = []
        for point in story.salt:
            regions = (point.top, point.back, point.left, point.right)
            told = (words.plain(part, say) if part is not None else words.DASH for part in regions)
            rows.append((Cell(say.day(point.date)), Cell(words.plain(point.total, say)), *map(Cell, told)))
        blocks += [Heading(say("history.salt")), Table(heads, (Rows("", tuple(rows)),), say("salt.caption"))]
    return Section("history", say("history.title"), tuple(blocks))


def _taper(treatment: TreatmentStory, say: Voice) -> tuple[str, ...]:
    """A line for each step down: "from 2025-10-16: 16 mg/day"."""
    return tuple(
        say("treatment.step", start=say.partial(step.start), dose=f"{step.dose} {treatment.unit}".strip())
        for step in taper_steps(treatment.taper)
    )


def methods(story: PatientStory, say: Voice) -> Section:
    """Models, settings and what the figures rest on."""
    pairs = []
    told: set[str] = set()
    for capture in captures_of(story):
        model = capture.reading.model
        if model is not None and model.sha256 not in told:
            told.add(model.sha256)
            validation = say("methods.validated" if model.validated else "methods.not_validated")
            lines = (model.name, say("methods.sha256", sha256=model.sha256), validation, say.said(model.notice))
            pairs.append((say("methods.model"), tuple(text for text in lines if text)))
    if not told:
        pairs.append((say("methods.model"), ("; ".join(story.models) or say("value.none"),)))
    pairs += _settings(story, say)
    assumed = tuple(say.said(text) for text in story.assumptions)
    blocks: tuple[Block, ...] = (Facts(tuple(pairs)), *((Items(assumed),) if assumed else ()))
    return Section("methods", say("methods.title"), blocks, kind="box")


def _settings(story: PatientStory, say: Voice) -> list[tuple[str, tuple[str, ...]]]:
    """Scale, device, preparation and software, each with all values that occur: more than one is worth seeing."""
    everything = captures_of(story)

    def scale(capture: CaptureStory) -> str:
        found = capture.reading.scale
        if found is None:
            return say("value.none")
        return say("methods.scale_value", um_per_px=say.decimals(f"{found.um_per_px:.4g}"), source=found.source)

    def each(name: str, values: Iterable[str]) -> tuple[str, tuple[str, ...]]:
        return say(f"methods.{name}"), (say("value.list_join").join(sorted(set(values))) or words.DASH,)

    unknown = say("value.not_recorded")
    return [
        each("scale", map(scale, everything)),
        each("device", (capture.device or unknown for capture in everything)),
        each("preparation", (capture.preparation or unknown for capture in everything)),
        each("software", (capture.reading.software for capture in everything)),
    ]


def _remarks(story: PatientStory, say: Voice) -> tuple[tuple[Cell, ...], ...]:
    """Captures of which something must be said (quality, preparation, refused signs), those alike together."""
    found = []
    for visit in story.visits:
        alike: dict[tuple[str, ...], list[str]] = {}
        for capture in visit.captures:
            texts = _said_of(capture, say)
            if texts:
                named = say("quality.in_file", spot=_spot(capture, say), file=capture.file)
                alike.setdefault(texts, []).append(named)
        total = len(visit.captures)
        for texts, those in alike.items():
            which = () if len(those) == total > 1 else (say("value.list_join").join(those),)
            share = say("quality.share", count=len(those), total=total)
            found.append((Cell(say.day(visit.date)), Cell(share, which), Cell(" ".join(texts))))
    return tuple(found)


def _said_of(capture: CaptureStory, say: Voice) -> tuple[str, ...]:
    reading = capture.reading
    texts = [say.said(text) for text in (*reading.quality.flags, *reading.warnings)]
    if capture.preparation not in {"", "none", "unclipped"}:
        texts.append(say("quality.preparation", preparation=capture.preparation))
    for name, sign in reading.signs.items():
        if sign.status == "refused":
            label = words.capitalised(words.sign_label(name, say))
            reason = say.said(sign.reason) if sign.reason else say("quality.no_reason")
            texts.append(say("quality.refused", sign=label, reason=reason))
    return tuple(words.as_sentence(text) for text in texts)


def _spot(capture: CaptureStory, say: Voice) -> str:
    """As printed: "vertex, field a, repeat 2"."""
    parts = [
        capture.site,
        capture.field and say("quality.spot_field", field=capture.field),
        capture.n and say("quality.spot_repeat", n=capture.n),
    ]
    return ", ".join(part for part in parts if part)
