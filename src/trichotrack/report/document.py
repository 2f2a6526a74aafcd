"""A patient's story as a document: page one and the sections after it, in the order in which they are read."""

from __future__ import annotations

from datetime import date

from trichotrack.report import clinical, sections
from trichotrack.report.blocks import Document
from trichotrack.report.page_one import more_notices, page_one
from trichotrack.report.voice import Voice
from trichotrack.visits.story import PatientStory


def document(
    story: PatientStory, say: Voice, *, paper: str = "a4", made: date | None = None, remarks: tuple[str, ...] = ()
) -> Document:
    """Everything that is printed, once. made: the day printed as the report's. remarks: said first on page one."""
    found = (
        sections.captures(story, say),
        sections.quality(story, say, more_notices(story, say, remarks)),
        sections.review(story, say),
        sections.figures(story, say),
        sections.changes(story, say),
        sections.history(story, say),
        clinical.clinro(story, say),
        clinical.events(story, say),
        clinical.labs(story, say),
        sections.amended(story, say),
        sections.methods(story, say),
    )
    return Document(
        title=say("page.title", patient=story.patient.id),
        language=say.language,
        first=page_one(story, say, paper=paper, made=made, remarks=remarks),
        sections=tuple(section for section in found if section),
        footer=say("page.footer"),
        buttons={name: say(f"pictures.{name}") for name in ("enlarge", "show_marks", "close")},
    )
