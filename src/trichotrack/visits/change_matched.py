"""Two visits of a patient over the skin that both show: fields registered, hairs followed, one answer by outcome.

Captures of the same field are offered to each other; of repeats the pair with the most evidence is taken. Fields of
one site may overlap: skin that another pair of fields has counted is not counted again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from trichotrack.problems import InputError, Problem
from trichotrack.runtime.reading import MarkedObject
from trichotrack.signs import SIGN, prepared_as
from trichotrack.stats.paired import Followed, paired_ratio
from trichotrack.stats.rates import RateRatio
from trichotrack.visits.comparable import TWO_READERS, UNREVIEWED
from trichotrack.visits.hairs_matched import FieldMatch, Hair, match_captures, shown_by_both
from trichotrack.visits.registration import Picture, Registration, register
from trichotrack.visits.series import ACTIVE_LOAD, PARTS, label_of
from trichotrack.visits.wording import Outcome, change_text, confidence_text, interval_text

if TYPE_CHECKING:
    from trichotrack.visits.story import CaptureStory, PatientStory, VisitStory

ASSUMED_READER_CV = 0.03
"""What remains of a visit's count to vary though the hairs are the same: the reader, in another light and focus.
Assumed until it is measured on people."""

LEVEL = 0.05

Unsure = Callable[["CaptureStory", Picture, Sequence[MarkedObject]], Sequence[MarkedObject] | None]
"""Marks below the threshold of the capture's own model; None where it cannot be asked (a person marked, say)."""


@dataclass(frozen=True)
class MatchedField:
    """One field at two visits. before, after: the captures taken. counted_elsewhere: structures that lie in another
    matched field too and are left to it. looked_again: whether both were re-scored where only one shows a structure.
    """

    site: str
    field: str
    before: CaptureStory
    after: CaptureStory
    match: FieldMatch
    counted_elsewhere: int = 0
    looked_again: bool = False


@dataclass(frozen=True)
class MatchedOutcome:
    """One outcome over all matched fields. ratio: None where nothing was followed. sentence: what to print."""

    name: str
    label: str
    followed: Followed
    outcome: Outcome | None
    ratio: RateRatio | None
    sentence: str
    primary: bool = False


@dataclass(frozen=True)
class VisitMatch:
    """before, after: days of the visits. refused: (site, field, reason) of fields not found again. notices: what must
    be said beside the figures.
    """

    patient: str
    before: date
    after: date
    fields: tuple[MatchedField, ...]
    refused: tuple[tuple[str, str, str], ...]
    outcomes: tuple[MatchedOutcome, ...]
    notices: tuple[str, ...]
    synthetic: bool = False

    @property
    def area_cm2(self) -> float:
        return sum(field.match.area_cm2 for field in self.fields)


def match_visits(
    story: PatientStory,
    before: date,
    after: date,
    *,
    site: str = "",
    unsure: Unsure | None = None,
    progress: Callable[[str], None] | None = None,
) -> VisitMatch:
    """Follows the structures of a patient's fields from one visit to another. site: only this one; "": all.

    unsure: gives marks below the model's threshold, for joint re-scoring; None: none is done, and that is said.
    progress: called with each field. Raises InputError where a visit is not there or no field is shared.
    """
    first, second = visits_of(story, before, after)
    pairs = shared_fields(first, second, site.casefold())
    fields: list[MatchedField] = []
    refused: list[tuple[str, str, str]] = []
    for (place, name), (ours, theirs) in pairs.items():
        if progress:
            progress(f"{place} {name}".strip())
        found = _best(place, name, ours, theirs, unsure)
        if isinstance(found, str):
            refused.append((place, name, found))
        else:
            fields.append(without_counted(found, fields))
    outcomes = tuple(_outcomes(fields, synthetic=story.patient.synthetic))
    return VisitMatch(
        story.patient.id, before, after, tuple(fields), tuple(refused), outcomes,
        tuple(_notices(story, fields)), story.patient.synthetic,
    )  # fmt: skip


def visits_of(story: PatientStory, before: date, after: date) -> tuple[VisitStory, VisitStory]:
    """The visits of these days, the earlier first. Raises InputError naming what is wrong."""
    by_day = {visit.date: visit for visit in story.visits}
    known = ", ".join(str(day) for day in by_day) or "none"
    problems = [
        Problem(story.patient.id, "has no visit on this day", f"Visits: {known}.", column=name, value=str(day))
        for name, day in (("--from", before), ("--to", after))
        if day not in by_day
    ]
    if not problems and before >= after:
        problems = [Problem("--from", "is not before --to", "Give the earlier visit first.", value=str(before))]
    if problems:
        raise InputError(problems)
    return by_day[before], by_day[after]


def shared_fields(
    first: VisitStory, second: VisitStory, site: str = ""
) -> dict[tuple[str, str], tuple[list[CaptureStory], list[CaptureStory]]]:
    """By (site, field) the captures of both visits. Raises InputError where the visits share none."""
    found: dict[tuple[str, str], tuple[list[CaptureStory], list[CaptureStory]]] = {}
    for number, visit in enumerate((first, second)):
        for capture in visit.captures:
            if not site or capture.site == site:
                found.setdefault((capture.site, capture.field), ([], []))[number].append(capture)
    shared = {key: pair for key, pair in found.items() if all(pair)}
    if not shared:
        where = f" at {site}" if site else ""
        message = f"the visits of {first.date} and {second.date} share no field{where}"
        raise InputError(Problem("record", message, "Fields are matched by the site and field of their file names."))
    return shared


def picture_of(capture: CaptureStory) -> tuple[Picture, tuple[MarkedObject, ...]]:
    """The stored picture with its scale, and the marks of the current reading in its px."""
    reading = capture.reading
    if capture.to_reread:
        raise InputError(Problem(capture.file, capture.to_reread, "Then match again."))
    if reading.scale is None:
        raise InputError(Problem(capture.file, "has no scale, so distances cannot be told", "Add it with its scale."))
    if reading.area_cm2 is None:
        message = "was read by a model trained without scales, which only counts"
        raise InputError(Problem(capture.file, message, "Read it again by a model that goes by scale."))
    with Image.open(io.BytesIO(capture.picture)) as image:
        pixels = np.asarray(image.convert("RGB"))
    fx, fy = pixels.shape[1] / reading.width, pixels.shape[0] / reading.height
    marks = tuple(
        replace(
            item, x=item.x * fx, y=item.y * fy,
            tip_x=None if item.tip_x is None else item.tip_x * fx,
            tip_y=None if item.tip_y is None else item.tip_y * fy,
        )
        for item in reading.objects
    )  # fmt: skip
    return Picture(pixels, reading.scale.um_per_px / fx, name=capture.file), marks


def why_not_matched(before: CaptureStory, after: CaptureStory) -> str:
    """Why two captures are not to be compared, "" where they may be."""
    models = [c.reading.model.sha256[:8] if c.reading.model else "a person" for c in (before, after)]
    for what, one, other in (
        ("preparation", prepared_as(before.preparation), prepared_as(after.preparation)),
        ("device", before.device, after.device),
        ("model", *models),
    ):
        if one != other:
            return f"other {what} ({one or 'not stated'}; now {other or 'not stated'})"
    return ""


def _best(
    site: str, name: str, ours: Sequence[CaptureStory], theirs: Sequence[CaptureStory], unsure: Unsure | None
) -> MatchedField | str:
    """Of all pairs of repeats the one registered with the most evidence, matched; or why none could be."""
    best: tuple[Registration, CaptureStory, CaptureStory] | None = None
    reasons: list[str] = []
    for before in ours:
        for after in theirs:
            if reason := why_not_matched(before, after):
                reasons.append(reason)
                continue
            try:
                found = register(picture_of(before)[0], picture_of(after)[0])
            except InputError as error:
                reasons.append(error.problems[0].message)
                continue
            if not found.accepted:
                reasons.append(found.reason)
            elif best is None or found.evidence > best[0].evidence:
                best = found, before, after
    if best is None:
        return "; ".join(dict.fromkeys(reasons))
    registration, before, after = best
    (first, marks), (second, more) = picture_of(before), picture_of(after)
    lower = [unsure(before, first, marks), unsure(after, second, more)] if unsure else [None, None]
    matched = match_captures(
        first, second, marks, more, unsure_before=lower[0] or (), unsure_after=lower[1] or (), registration=registration
    )
    return MatchedField(site, name, before, after, matched, looked_again=None not in lower)


def without_counted(found: MatchedField, earlier: Sequence[MatchedField]) -> MatchedField:
    """The field less the skin that pairs of other fields of its site have counted: found by registering the pictures.

    Looked for at both visits: fields that overlap at either are the same skin.
    """
    hairs: tuple[Hair, ...] = found.match.hairs
    area = found.match.area_cm2
    mine = picture_of(found.before)[0]
    for other in (one for one in earlier if one.site == found.site):
        theirs, theirs_after = picture_of(other.before)[0], picture_of(other.after)[0]
        across = register(mine, theirs)
        if not across.accepted:
            continue

        def counted(places: Sequence[tuple[float, float]]) -> np.ndarray:
            there = across.to_after(np.array(places, np.float64).reshape(-1, 2))  # noqa: B023 (used at once)
            return shown_by_both(other.match.registration, theirs, theirs_after, there)  # noqa: B023

        taken = counted([hair.place for hair in hairs])
        hairs = tuple(hair for hair, gone in zip(hairs, taken, strict=True) if not gone)
        area *= 1.0 - _share_counted(found, mine, counted)
    left = len(found.match.hairs) - len(hairs)
    return replace(found, match=replace(found.match, hairs=hairs, area_cm2=area), counted_elsewhere=left)


def _share_counted(
    found: MatchedField, mine: Picture, counted: Callable[[Sequence[tuple[float, float]]], np.ndarray]
) -> float:
    width, height = mine.size_px
    x, y = np.meshgrid((np.arange(48) + 0.5) * width / 48, (np.arange(48) + 0.5) * height / 48)
    points = np.stack([x.ravel(), y.ravel()], axis=1)
    shown = shown_by_both(found.match.registration, mine, picture_of(found.after)[0], points)
    places = [(float(x), float(y)) for x, y in points[shown]]
    return float(counted(places).mean()) if places else 0.0


def _outcomes(fields: Sequence[MatchedField], *, synthetic: bool) -> list[MatchedOutcome]:
    captures = [capture for field in fields for capture in (field.before, field.after)]
    counted = [
        {name for name, sign in capture.reading.signs.items() if sign.status == "counted"} for capture in captures
    ]
    everywhere = set.intersection(*counted) if counted else set()
    wanted: Mapping[str, tuple[str, ...]] = {**PARTS, **{name: (name,) for name in SIGN}}
    obstacle = "" if synthetic else _unreviewed(captures)
    area = sum(field.match.area_cm2 for field in fields)
    told = []
    for name, parts in wanted.items():
        if not everywhere.issuperset(parts) or not parts:
            continue
        followed = sum((field.match.followed(parts) for field in fields), Followed(0, 0, 0))
        told.append(judged(name, followed, area, len(fields), obstacle=obstacle, synthetic=synthetic))
    return told


def judged(
    name: str, followed: Followed, area_cm2: float, fields: int, *, obstacle: str = "", synthetic: bool = False,
    cv: float = ASSUMED_READER_CV, level: float = LEVEL,
) -> MatchedOutcome:  # fmt: skip
    """The answer for one outcome. Only the active load is judged; of the others the numbers and interval are given.

    obstacle: why it may not be judged ("" where it may).
    """
    label, primary = label_of(name), name == ACTIVE_LOAD
    found = paired_ratio(followed, cv=cv, confidence=1 - level) if followed.before + followed.after else None
    where = f"In the skin that both visits show ({area_cm2:.2g} cm², {fields} field{'' if fields == 1 else 's'})"
    things = "structures of the active load" if primary else label
    outcome: Outcome | None = "cannot tell" if primary else None
    if found is None:
        text = f"{where}, no {things} at either visit."
    else:
        text = (
            f"{where}, {things}: {followed.before} at the earlier visit, of which {followed.kept} still so at the "
            f"later and {followed.lost} gone or of another sign; {followed.gained} new."
        )
        change = "from none" if np.isinf(found.ratio) else change_text(found.ratio)
        interval = f"{interval_text(found.low, found.high)} ({confidence_text(1 - level)} interval)"
        named = f"{label[0].upper()}{label[1:]}"
        if primary and obstacle:
            text += f" Change {change}, {interval}; whether {label} changed cannot be told: {obstacle}."
        elif primary and found.p <= level:
            outcome = "fell" if found.ratio < 1 else "rose"
            text += f" {named} {outcome} there: {change}, {interval}."
        elif primary:
            outcome = "no detectable change"
            text += f" No detectable change in {label} there; not excluded: {interval}."
        else:
            text += f" Change {change}, {interval}."
    text = f"Synthetic patient: {text}" if synthetic else text
    return MatchedOutcome(name, label[0].upper() + label[1:], followed, outcome, found, text, primary)


def _unreviewed(captures: Sequence[CaptureStory]) -> str:
    unsure = [c for c in captures if not c.reviewed and not (c.reading.model and c.reading.model.validated)]
    if unsure:
        return UNREVIEWED
    return TWO_READERS if len({c.reviewed for c in captures}) > 1 else ""


def _notices(story: PatientStory, fields: Sequence[MatchedField]) -> list[str]:
    told = list(story.notices)
    if fields:
        told.append(
            "This speaks of the skin that both visits show, not of the whole scalp; hairs not found again may also lie "
            "under others or have been missed."
        )
        told.append(f"A variation of {ASSUMED_READER_CV:.0%} of each visit's count by the reader is assumed.")
        told.append(
            "Asked beside the verdicts of `visit show`, it is not part of the 5 % that hold for the whole series."
        )
    alone = sum(not field.looked_again for field in fields)
    if alone:
        told.append(
            f"Not looked at again ({alone} of {len(fields)} fields): the model that read them is not at hand, or a "
            "person marked them. What was missed at one visit counts there as gone or new."
        )
    overlapping = sum(field.counted_elsewhere for field in fields)
    if overlapping:
        told.append(f"{overlapping} structures lie in more than one field and are counted once.")
    return told
