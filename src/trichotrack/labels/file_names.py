"""What a file's name tells: '{patient}_{date:%Y%m%d}_{n}' reads P001_20260304_2.jpg as P001, 2026-03-04, n 2."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import PurePosixPath

from trichotrack.problems import InputError

_FIELD = re.compile(r"\{([^{}]*)\}")
_DIRECTIVE = re.compile(r"%(.)")
_DIGITS = {"Y": 4, "y": 2, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}
_WORDS = {"b", "B"}
_PIVOT_YEAR = 1969
"""strptime reads a year of two digits as 1969 to 2068; what falls before 2000 may as well be a century later."""


class NamePattern:
    """A pattern such as '{patient}_{n}', '{patient}/{visit}_{site}' or '{patient}_{date:%d.%m.%Y}'.

    It is held against the name without its ending, or, where the pattern has `/`, against as many folders more. A
    field takes no character that the pattern has between its fields, so a name is read in one way or not at all. A
    field with a form (as strptime's, after a colon) is read as a date, and given as 2026-03-04, or as 2026-03 or 2026
    where the form has no more.
    """

    def __init__(self, pattern: str) -> None:
        """Raises InputError where pattern has no field, one twice, two with nothing between, or an unclear form."""
        self.pattern = pattern
        parts = _FIELD.split(pattern)
        literals, fields = parts[::2], [field.partition(":") for field in parts[1::2]]
        self.fields = tuple(name for name, _, _ in fields)
        self._forms = {name: form for name, colon, form in fields if colon}
        faults = []
        if not self.fields:
            faults.append("it has no {field}")
        if any(not name.isidentifier() for name in self.fields):
            faults.append("a field is a word such as {patient}")
        if len(set(self.fields)) < len(self.fields):
            faults.append("it names a field twice")
        if not all(literals[1:-1]):
            faults.append("nothing separates two fields")
        if any("{" in literal or "}" in literal for literal in literals):
            faults.append("a brace is not closed")
        faults += [fault for form in self._forms.values() if (fault := _unclear(form))]
        if faults:
            raise InputError(
                f"the pattern {pattern!r} cannot be used: {'; '.join(faults)}. Example: '{{patient}}_{{n}}'."
            )
        between = "".join(sorted({*"".join(literals[1:-1]), "/"}))
        plain = f"[^{re.escape(between)}]+"
        bodies = [_form_regex(self._forms[name]) if name in self._forms else plain for name in self.fields]
        regex = re.escape(literals[0])
        for body, literal in zip(bodies, literals[1:], strict=True):
            regex += f"({body}){re.escape(literal)}"
        self._regex = re.compile(regex)
        self._depth = pattern.count("/") + 1

    def parse(self, file: str) -> dict[str, str] | None:
        """Fields of a file's path (with `/`), or None where it does not fit."""
        fields, fault = self.read(file)
        return None if fault else fields

    def read(self, file: str) -> tuple[dict[str, str], str]:
        """(fields of a file's path (with `/`), what is wrong or "")."""
        path = PurePosixPath(file)
        name = "/".join(path.with_suffix("").parts[-self._depth :])
        match = self._regex.fullmatch(name)
        if match is None:
            return {}, f"does not fit the pattern {self.pattern}"
        fields = dict(zip(self.fields, match.groups(), strict=True))
        for field, form in self._forms.items():
            fields[field], fault = _date(fields[field], form)
            if fault:
                return {}, fault
        return fields, ""


def _unclear(form: str) -> str:
    """Why a date's form cannot be read in one way; "" where it can."""
    if not form:
        return "a form is missing after the colon (such as {date:%Y%m%d})"
    directives = _DIRECTIVE.findall(form)
    strange = [letter for letter in directives if letter not in {*_DIGITS, *_WORDS}]
    if strange or form.count("%") != len(directives):
        known = " ".join(f"%{letter}" for letter in (*_DIGITS, *sorted(_WORDS)))
        return f"the form {form!r} has parts other than {known}"
    if len(set(directives)) < len(directives):
        return f"the form {form!r} names a part twice"
    if not {"Y", "y"} & set(directives):
        return f"the form {form!r} has no year"
    if {"Y", "y"} <= set(directives) or len({"m", "b", "B"} & set(directives)) > 1:
        return f"the form {form!r} gives a part in two ways"
    if "d" in directives and not {"m", "b", "B"} & set(directives):
        return f"the form {form!r} has a day and no month"
    return ""


def _form_regex(form: str) -> str:
    """Numbers that touch another part have all their digits; others may lack a leading zero, as in 4.3.2026."""
    regex, end = "", 0
    for match in _DIRECTIVE.finditer(form):
        letter = match[1]
        regex += re.escape(form[end : match.start()])
        touches = (
            form[: match.start()].endswith(tuple(f"%{known}" for known in _DIGITS)) or form[match.end() :][:1] == "%"
        )
        end = match.end()
        if letter in _WORDS:
            regex += r"[^\W\d_]+\.?"
        elif letter in {"Y", "y"} or touches:
            regex += f"[0-9]{{{_DIGITS[letter]}}}"
        else:
            regex += f"[0-9]{{1,{_DIGITS[letter]}}}"
    return regex + re.escape(form[end:])


def _date(text: str, form: str) -> tuple[str, str]:
    try:
        # The time of day is not kept, so no time zone is needed.
        day = dt.datetime.strptime(text, form).date()  # noqa: DTZ007
    except ValueError:
        return "", f"{text} is not a date of the form {form}"
    if "%y" in form and _PIVOT_YEAR <= day.year < 2000:
        return "", f"{text} may be of {day.year} or {day.year + 100}: a year of two digits says no century"
    if "%d" in form:
        return day.isoformat(), ""
    return day.strftime("%Y-%m" if re.search("%[mbB]", form) else "%Y"), ""
