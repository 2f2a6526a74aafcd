"""What is wrong with an input, said so that a person can mend it: all problems at once, each with place and remedy."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One fault of an input.

    place: the file or table. row: 1-based line as a spreadsheet numbers it (the header is 1), or None. column and
    value: what was read there, "" where it does not apply. message: what is wrong. remedy: what to do.
    """

    place: str
    message: str
    remedy: str = ""
    row: int | None = None
    column: str = ""
    value: str = ""

    def __str__(self) -> str:
        where = self.place
        if self.row is not None:
            where += f", row {self.row}"
        if self.column:
            where += f", column {self.column}"
        got = f" (got {self.value!r})" if self.value else ""
        remedy = f" {self.remedy}" if self.remedy else ""
        return f"{where}: {self.message}{got}.{remedy}"


class InputError(ValueError):
    """An input that cannot be used. `problems` holds every fault found, not only the first."""

    def __init__(self, problems: Problem | Sequence[Problem] | str) -> None:
        if isinstance(problems, str):
            problems = [Problem(place="input", message=problems)]
            self.problems: tuple[Problem, ...] = tuple(problems)
            super().__init__(problems[0].message)
            return
        self.problems = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def with_extra(name: str) -> str:
    """The remedy where a package of an extra is not installed."""
    return f'Install trichotrack with its extra: pip install "WHEEL[{name}]", or in a clone: uv sync --extra {name}.'
