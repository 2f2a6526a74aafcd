"""The report as a PDF, set by typst: no system package, no network, and what was typed is never markup."""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from trichotrack.problems import InputError, Problem, with_extra
from trichotrack.report.blocks import Picture
from trichotrack.report.document import document
from trichotrack.report.fonts import BOX, FontChoice, choose_fonts
from trichotrack.report.html import write_whole
from trichotrack.report.voice import Voice, voice
from trichotrack.visits.story import PatientStory

PAPERS: Mapping[str, str] = {"a4": "a4", "letter": "us-letter"}


@dataclass(frozen=True)
class Pdf:
    """content: the file. missing: letters that no font has, printed as a box; remark says so, on page one too."""

    content: bytes
    missing: tuple[str, ...] = ()
    remark: str = ""


def render_pdf(
    story: PatientStory,
    say: Voice | None = None,
    *,
    paper: str = "a4",
    made: date | None = None,
    system_fonts: bool = True,
) -> Pdf:
    """The report as a PDF with the content of the HTML one. paper: "a4" or "letter".

    system_fonts: look among those installed for letters that the packaged fonts lack. Raises InputError where the
    typesetter is not installed.
    """
    try:
        import typst
    except ModuleNotFoundError:
        message = "a PDF needs typst, which is not installed"
        raise InputError(Problem("report", message, f"Or write .html. {with_extra('record')}")) from None
    from importlib.resources import files

    say = say or voice()
    stamp = dt.datetime.combine(made or date(2000, 1, 1), dt.time(), dt.UTC)
    # The template reads from this folder and from nowhere else.
    with tempfile.TemporaryDirectory(prefix="trichotrack-") as folder:
        room = Path(folder)
        page = document(story, say, paper=paper, made=made)
        fonts = choose_fonts(_strings(page), room, system=system_fonts)
        remark = ""
        if fonts.missing:
            remark = _remark(fonts, say)
            page = document(story, say, paper=paper, made=made, remarks=(remark,))
        pictures: dict[str, bytes] = {}
        values = {"page": _values(page, pictures), "fonts": list(fonts.families), "paper": PAPERS[paper]}
        data = json.dumps(values, ensure_ascii=False).translate({ord(letter): BOX for letter in fonts.missing})
        template = files("trichotrack.report").joinpath("report.typ").read_bytes()
        for name, content in {"report.typ": template, **pictures}.items():
            (room / name).write_bytes(content)
        compiler = typst.Compiler(
            room / "report.typ", root=room, font_paths=fonts.fonts, sys_inputs={"data": data}
        )  # fmt: skip
        made_pdf = compiler.compile(format="pdf", timestamp=stamp, pdf_standards=["ua-1"])
    if not isinstance(made_pdf, bytes):
        raise TypeError(type(made_pdf).__name__)
    return Pdf(made_pdf, fonts.missing, remark)


def write_pdf(
    story: PatientStory, path: Path, say: Voice | None = None, *, paper: str = "a4", made: date | None = None
) -> Pdf:
    """Writes the report to path, whole or not at all."""
    found = render_pdf(story, say, paper=paper, made=made)
    write_whole(path, found.content)
    return found


def _remark(fonts: FontChoice, say: Voice) -> str:
    named = " ".join(f"U+{ord(letter):04X}" for letter in fonts.missing[:20]) + (" …" if fonts.missing[20:] else "")
    return f"{say('one.missing_glyphs', letters=named)} {say('one.missing_remedy')}"


def _values(value: Any, pictures: dict[str, bytes]) -> Any:
    """A block as values for JSON; the bytes of pictures are put into pictures, and their names in their place."""
    if isinstance(value, Picture) and value.jpeg:
        name = f"{value.id}.jpg"
        pictures[name] = value.jpeg
        value = dataclasses.replace(value, jpeg=b"")
        return {**_values(value, pictures), "jpeg": name}
    if dataclasses.is_dataclass(value):
        told = {one.name: _values(getattr(value, one.name), pictures) for one in dataclasses.fields(value)}
        return {**told, "block": getattr(value, "block", "")}
    if isinstance(value, tuple):
        return [_values(one, pictures) for one in value]
    if isinstance(value, dict):
        return {name: _values(one, pictures) for name, one in value.items()}
    return "" if isinstance(value, bytes) else value


def _strings(value: Any) -> Iterator[str]:
    """Every text of a document, drawings included, whose texts are among them."""
    if isinstance(value, str):
        yield value
    elif dataclasses.is_dataclass(value):
        for one in dataclasses.fields(value):
            yield from _strings(getattr(value, one.name))
    elif isinstance(value, dict):
        yield from _strings(tuple(value.values()))
    elif isinstance(value, tuple):
        for one in value:
            yield from _strings(one)
