"""`trichotrack visit match`: the same fields found again at two visits, and what became of each hair."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_args

import typer

from trichotrack.cli.record import DEFAULT, Json, PatientId, Record
from trichotrack.cli.words import numbered

if TYPE_CHECKING:
    from trichotrack.runtime.reading import MarkedObject
    from trichotrack.visits.change_matched import MatchedField, Unsure, VisitMatch
    from trichotrack.visits.registration import Picture
    from trichotrack.visits.story import CaptureStory

SOME_FAILED = 3


def match(
    patient: PatientId,
    before: Annotated[str, typer.Option("--from", help="Day of the earlier visit, such as 2026-03-04.")],
    after: Annotated[str, typer.Option("--to", help="Day of the later visit.")],
    site: Annotated[str, typer.Option(help="Only this site.")] = "",
    out: Annotated[Path | None, typer.Option(help="Folder for pictures of both visits side by side.")] = None,
    model: Annotated[
        Path | None, typer.Option(help="The model that read the captures, if it was not the bundled one.")
    ] = None,
    record: Record = DEFAULT,
    as_json: Json = False,
) -> None:
    """Find the same skin at two visits and follow its hairs: found again, gone, new, or of another sign.

    Fields are registered from the stored pictures; one that cannot be found again is told with its reason and counts
    for nothing. Exit status: 0 all fields were found again, 3 some or all were not.

    Example: trichotrack visit match P001 --from 2026-03-04 --to 2026-06-01 --out matched
    """
    from trichotrack.visits.change_matched import match_visits
    from trichotrack.visits.dates import full_date
    from trichotrack.visits.record import open_record
    from trichotrack.visits.story import patient_story

    days = full_date(before), full_date(after)
    with open_record(record) as session:
        story = patient_story(session, patient)
    found = match_visits(story, *days, site=site, unsure=_rescoring(model))
    pictures = _pictures(found, out) if out else []
    if as_json:
        typer.echo(json.dumps(_as_values(found, pictures), ensure_ascii=False, indent=1))
    else:
        for line in _lines(found, pictures):
            typer.echo(line.replace("−", "-"))
    if found.refused:
        raise typer.Exit(SOME_FAILED)


def _rescoring(path: Path | None) -> Unsure | None:
    """Marks below the threshold, of captures that this very model read and no person corrected."""
    from trichotrack.problems import InputError
    from trichotrack.runtime.counter import Counter
    from trichotrack.visits.readings import MODEL
    from trichotrack.visits.rescoring import unsure_marks

    try:
        counter = Counter(path) if path else Counter.bundled()
    except InputError:
        if path:
            raise
        return None

    def unsure(capture: CaptureStory, picture: Picture, found: Sequence[MarkedObject]) -> Sequence[MarkedObject] | None:
        reading = capture.reading
        mine = reading.model is not None and reading.model.sha256 == counter.model_file.sha256
        if reading.author != MODEL or not mine:
            return None
        try:
            return unsure_marks(counter, picture, found, preparation=capture.preparation)
        except InputError:
            return None  # the kept picture is too small for the model: not looked at again, and it is said

    return unsure


def _pictures(found: VisitMatch, out: Path) -> list[Path]:
    from trichotrack.pictures import save_picture
    from trichotrack.report.matched import side_by_side

    paths = []
    for field in found.fields:
        parts = (re.sub(r"[^\w-]+", "-", part) for part in (found.patient, field.site, field.field) if part)
        name = "_".join(parts)
        path = out / f"{name}_{found.before}_{found.after}.png"
        save_picture(side_by_side(field, found.before, found.after, synthetic=found.synthetic), path)
        paths.append(path)
    return paths


def _lines(found: VisitMatch, pictures: Sequence[Path]) -> list[str]:
    lines = [f"{found.patient}, {found.before} to {found.after}: {numbered(len(found.fields), 'field')} found again."]
    lines += [f"  {_named(field.site, field.field)}: {_field_line(field)}" for field in found.fields]
    lines += [f"  {_named(site, name)}: left out: {reason}" for site, name, reason in found.refused]
    lines += [f"- {outcome.sentence}" for outcome in found.outcomes if outcome.primary or outcome.ratio]
    lines += [f"! {notice}" for notice in found.notices]
    return [*lines, *(f"Picture: {path}" for path in pictures)]


def _named(site: str, field: str) -> str:
    return f"{site}, field {field}" if field else site


def _field_line(field: MatchedField) -> str:
    from trichotrack.visits.hairs_matched import Fate

    found = field.match.registration
    residual = "" if found.residual_um is None else f", within {found.residual_um:.0f} µm"
    told = ", ".join(f"{len(field.match.with_fate(fate))} {fate}" for fate in get_args(Fate))
    again = sum(hair.rescored for hair in field.match.hairs)
    extra = f" ({again} of them only at a second look)" if again else ""
    shared = f"{found.overlap:.0%} in common{residual} ({found.inliers} of {found.pieces} pieces of skin agree)"
    return f"{shared}; {told}{extra}"


def _as_values(found: VisitMatch, pictures: Sequence[Path]) -> dict[str, Any]:
    return {
        "patient": found.patient,
        "synthetic": found.synthetic,
        "from": str(found.before),
        "to": str(found.after),
        "area_cm2": found.area_cm2,
        "fields": [_field_values(field) for field in found.fields],
        "refused": [{"site": site, "field": name, "reason": reason} for site, name, reason in found.refused],
        "outcomes": [
            {
                "name": outcome.name,
                "kept": outcome.followed.kept,
                "lost": outcome.followed.lost,
                "gained": outcome.followed.gained,
                "outcome": outcome.outcome,
                "ratio": _finite(outcome.ratio.ratio) if outcome.ratio else None,
                "low": _finite(outcome.ratio.low) if outcome.ratio else None,
                "high": _finite(outcome.ratio.high) if outcome.ratio else None,
                "p": outcome.ratio.p if outcome.ratio else None,
                "sentence": outcome.sentence,
            }
            for outcome in found.outcomes
        ],
        "notices": list(found.notices),
        "pictures": [path.as_posix() for path in pictures],
    }


def _field_values(field: MatchedField) -> dict[str, Any]:
    found = field.match.registration
    return {
        "site": field.site,
        "field": field.field,
        "before": field.before.file,
        "after": field.after.file,
        "overlap": found.overlap,
        "residual_um": found.residual_um,
        "agreeing": found.inliers,
        "pieces": found.pieces,
        "evidence": found.evidence,
        "turn_deg": found.turn_deg,
        "area_cm2": field.match.area_cm2,
        "counted_elsewhere": field.counted_elsewhere,
        "hairs": [
            {
                "fate": hair.fate,
                "before": hair.before.id if hair.before else None,
                "after": hair.after.id if hair.after else None,
                "sign_before": hair.before.sign if hair.before else None,
                "sign_after": hair.after.sign if hair.after else None,
                "rescored": hair.rescored,
                "off_um": hair.off_um,
            }
            for hair in field.match.hairs
        ],
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
