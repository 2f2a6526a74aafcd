"""What a file's name tells: '{patient}_{n}' reads P001_2.jpg as patient P001, n 2."""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from trichotrack.problems import InputError

_FIELD = re.compile(r"\{([^{}]*)\}")


class NamePattern:
    """A pattern such as '{patient}_{n}' or '{patient}/{visit}_{site}'.

    It is held against the name without its ending, or, where the pattern has `/`, against as many folders more. A
    field takes no character that the pattern has between its fields, so a name is read in one way or not at all.
    """

    def __init__(self, pattern: str) -> None:
        """Raises InputError where pattern has no field, one twice, or two with nothing between them."""
        self.pattern = pattern
        parts = _FIELD.split(pattern)
        literals, self.fields = parts[::2], tuple(parts[1::2])
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
        if faults:
            raise InputError(
                f"the pattern {pattern!r} cannot be used: {'; '.join(faults)}. Example: '{{patient}}_{{n}}'."
            )
        between = "".join(sorted({*"".join(literals[1:-1]), "/"}))
        body = f"([^{re.escape(between)}]+)"
        self._regex = re.compile(body.join(re.escape(literal) for literal in literals))
        self._depth = pattern.count("/") + 1

    def parse(self, file: str) -> dict[str, str] | None:
        """Fields of a file's path (with `/`), or None where it does not fit."""
        path = PurePosixPath(file)
        name = "/".join(path.with_suffix("").parts[-self._depth :])
        match = self._regex.fullmatch(name)
        return None if match is None else dict(zip(self.fields, match.groups(), strict=True))
