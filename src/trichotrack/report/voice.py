"""How the report speaks: every text from one catalogue, dates and decimals by setting."""

from __future__ import annotations

import re
import string
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

from trichotrack.problems import InputError, Problem

ENGLISH = "en"
ISO = "YYYY-MM-DD"
DATE_FORMATS = (ISO, "DD.MM.YYYY", "D MMM YYYY", "YYYY/MM/DD", "YYYY. M. D.")
"""Named in the help; any other order of the same parts is taken too."""

Decimal = Literal["point", "comma"]

_PART = re.compile(r"YYYY|MMM|MM|M|DD|D")
_DATE = re.compile(r"(?<![\d-])\d{4}-\d{2}-\d{2}(?![\d-])")
_DECIMAL = re.compile(r"(?<![\d.])(\d+)\.(\d+)(?![\d.])")


@dataclass(frozen=True)
class Sentence:
    """How a sentence that visits/ gives in English is said in another language. pattern: with {places}, which are
    said in that language too where a pattern knows them.
    """

    pattern: re.Pattern[str]
    text: str


@dataclass(frozen=True)
class Voice:
    """A language (its letters, as in "en"; "und" where a catalogue's name does not tell) with the clinic's settings.

    texts: by "section.key". sentences: empty in English.
    """

    language: str
    texts: Mapping[str, str]
    date_format: str = ISO
    decimal: Decimal = "point"
    sentences: tuple[Sentence, ...] = field(default=())

    def __call__(self, key: str, **values: object) -> str:
        """The text of a key with its places filled."""
        return self.texts[key].format(**values)

    def has(self, key: str) -> bool:
        return key in self.texts

    def day(self, day: date) -> str:
        return self.partial(day.isoformat())

    def partial(self, text: str) -> str:
        """A partial date as typed ("2011", "2011-05", "2011-05-03"), in the clinic's format; other texts as they are.

        What is not known is left out with the sign that joins it.
        """
        match = re.fullmatch(r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?", text)
        if match is None or not 1 <= int(match[2] or 1) <= 12:
            return text
        year, month, day = match.groups()
        if month is None:
            return year
        parts = date_parts(self.date_format)
        if day is None:
            parts = _without_day(parts)
        values = {
            "YYYY": year, "MM": month, "M": str(int(month)), "MMM": self(f"month.m{month}"),
            "DD": day or "", "D": str(int(day or 0)),
        }  # fmt: skip
        return "".join(values.get(part, part) for part in parts)

    def decimals(self, text: str) -> str:
        """A number as text with the clinic's decimal sign."""
        return _DECIMAL.sub(r"\1,\2", text) if self.decimal == "comma" else text

    def said(self, sentence: str) -> str:
        """A sentence of visits/ in this language, dates and decimals as set; in English where no pattern knows it."""
        for known in self.sentences:
            match = known.pattern.fullmatch(sentence)
            if match:
                return known.text.format(**{name: self.said(part or "") for name, part in match.groupdict().items()})
        return self.decimals(_DATE.sub(lambda match: self.partial(match[0]), sentence))


def voice(language: str = ENGLISH, *, date_format: str = ISO, decimal: Decimal = "point") -> Voice:
    """A language by its name, or a catalogue of one's own (a .toml file beside the English one's keys).

    Raises InputError for a language that is not there, a catalogue that lacks a text, has one too many or lacks a place
    of one, and for a date format without exactly one year, month and day.
    """
    date_parts(date_format)
    texts = _texts(_content(language), language)
    english = _texts(_content(ENGLISH), ENGLISH)
    problems = catalogue_problems(texts, english, language)
    if problems:
        raise InputError(problems)
    name = Path(language).stem
    name = name if re.fullmatch("[a-z]{2,3}", name) else "und"
    return Voice(name, texts, date_format, decimal, _sentences(_content(language), language))


def languages() -> tuple[str, ...]:
    """Languages that come with the report."""
    room = files("trichotrack.report").joinpath("catalogue")
    return tuple(sorted(entry.name.removesuffix(".toml") for entry in room.iterdir() if entry.name.endswith(".toml")))


def catalogue_problems(texts: Mapping[str, str], english: Mapping[str, str], name: str) -> list[Problem]:
    """What a catalogue lacks of the English one, has too many, or fills otherwise."""
    missing = [key for key in english if key not in texts]
    extra = [key for key in texts if key not in english]
    other = [key for key in english if key in texts and _places(texts[key]) != _places(english[key])]
    return [
        *(Problem(name, "lacks this text", "Translate it from en.toml.", column=key) for key in missing),
        *(Problem(name, "has a text that the report does not know", "Take it out.", column=key) for key in extra),
        *(
            Problem(name, "has other places", f"Use {', '.join(sorted(_places(english[key]))) or 'none'}.", column=key)
            for key in other
        ),
    ]


def date_parts(date_format: str) -> list[str]:
    """A date format as its parts and what joins them. Raises InputError where it names no full date, or one twice."""
    parts = [part for part in re.split(f"({_PART.pattern})", date_format) if part]
    kinds = sorted(part[0] for part in parts if _PART.fullmatch(part))
    joints = [part for part in parts if not _PART.fullmatch(part)]
    if kinds != ["D", "M", "Y"] or any(re.search(r"\w", part) for part in joints):
        remedy = f"Write the year, the month and the day once each, as in {', '.join(DATE_FORMATS)}."
        raise InputError(Problem("--date-format", "is not a format of dates", remedy, value=date_format))
    return parts


def _without_day(parts: list[str]) -> list[str]:
    at = next(i for i, part in enumerate(parts) if part in {"D", "DD"})
    last = not any(_PART.fullmatch(part) for part in parts[at + 1 :])
    return parts[: max(0, at - 1)] + parts[at + 1 :] if last else parts[:at] + parts[at + 2 :]


def _places(text: str) -> set[str]:
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError:
        return {"{"}


@lru_cache(maxsize=8)
def _content(language: str) -> dict[str, Any]:
    if language.endswith(".toml"):
        source = Path(language)
        if not source.is_file():
            raise InputError(Problem("--language", "there is no such file", "Give a catalogue.", value=language))
        try:
            text = source.read_text("utf-8")
        except (OSError, UnicodeDecodeError):
            remedy = "Save it as UTF-8, and check its rights."
            raise InputError(Problem("--language", "is not a text in UTF-8", remedy, value=language)) from None
    else:
        if language not in languages():
            remedy = f"There is {', '.join(languages())}; or give a catalogue of your own, a .toml file."
            raise InputError(Problem("--language", "is not a language of the report", remedy, value=language))
        text = files("trichotrack.report").joinpath("catalogue", f"{language}.toml").read_text("utf-8")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(Problem(language, f"is not a catalogue ({error})", "Begin with a copy of en.toml.")) from None


def _texts(content: Mapping[str, Any], name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for section, texts in content.items():
        if section == "sentence":
            continue
        if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
            raise InputError(Problem(name, "is not a section of texts", "See en.toml.", column=section))
        found |= {f"{section}.{key}": " ".join(text.split()) for key, text in texts.items()}
    return found


def _sentences(content: Mapping[str, Any], name: str) -> tuple[Sentence, ...]:
    entries = content.get("sentence", [])
    found = []
    for number, entry in enumerate(entries if isinstance(entries, list) else [entries], start=1):
        given = entry if isinstance(entry, dict) else {}
        english, text = given.get("english"), given.get("text")
        places = re.findall(r"\{(\w+)\}", english) if isinstance(english, str) else []
        once = len(set(places)) == len(places) and all(place.isidentifier() for place in places)
        if not (isinstance(english, str) and isinstance(text, str) and once and _places(text) <= set(places)):
            raise InputError(
                Problem(name, "is not a sentence with english and text, each {place} once in english",
                        "See the head of en.toml.", column=f"sentence {number}")
            )  # fmt: skip
        parts = re.split(r"\{(\w+)\}", english)
        pattern = "".join(f"(?P<{part}>.+?)" if i % 2 else re.escape(part) for i, part in enumerate(parts))
        found.append(Sentence(re.compile(pattern, re.DOTALL), text))
    return tuple(found)
