"""signs.yaml: signs beyond the vocabulary, with parent and exclusive group."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_args

from trichotrack.problems import InputError, Problem, with_extra
from trichotrack.signs import SIGN, STRUCTURE, Role, Sign


def load_yaml(path: Path, problems: list[Problem]) -> Any:
    """The content of a YAML file; None, and a problem noted, where it cannot be read."""
    try:
        import yaml
    except ImportError:
        problems.append(Problem(path.name, "needs PyYAML to be read", with_extra("labels")))
        return None
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem(path.name, f"cannot be read ({error})", "Save it as UTF-8 text."))
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        row = None if mark is None else mark.line + 1
        what = getattr(error, "problem", None) or "malformed"
        problems.append(Problem(path.name, f"is not YAML ({what})", "Mend the line.", row=row))
    return None


def read_signs(path: Path, problems: list[Problem]) -> tuple[dict[str, Sign], bool]:
    """(the vocabulary and the signs of signs.yaml at path, if there is one; whether all its signs could be read)."""
    if not path.exists():
        return dict(SIGN), True
    before = len(problems)
    raw = load_yaml(path, problems)
    if len(problems) > before:
        return dict(SIGN), False
    signs = signs_from(raw.get("signs") if isinstance(raw, dict) else None, path.name, problems)
    return signs, len(problems) == before


def signs_from(entries: Any, place: str, problems: list[Problem]) -> dict[str, Sign]:
    """The vocabulary and entries: a mapping of name to {label, plural, definition, role, group, parent, ...}."""
    signs = dict(SIGN)
    if not isinstance(entries, dict):
        problems.append(
            Problem(place, "holds no mapping called signs", "Write `signs:` and, below it, one entry for each sign.")
        )
        return signs
    for name, entry in entries.items():
        sign = _sign(name, entry, place, problems)
        if sign is not None:
            signs[sign.name] = sign
    problems.extend(
        Problem(
            place,
            f"the parent of {sign.name} is not a sign, or is below it",
            "Name a sign of the vocabulary or of this file.",
            column="parent",
            value=sign.parent,
        )
        for sign in signs.values()
        if sign.parent is not None and (sign.parent not in signs or _is_own_ancestor(sign, signs))
    )
    return signs


def _is_own_ancestor(sign: Sign, signs: Mapping[str, Sign]) -> bool:
    seen = {sign.name}
    parent = sign.parent
    while parent is not None and parent in signs:
        if parent in seen:
            return True
        seen.add(parent)
        parent = signs[parent].parent
    return False


def _sign(name: Any, entry: Any, place: str, problems: list[Problem]) -> Sign | None:
    def fault(message: str, remedy: str, column: str = "", value: object = "") -> None:
        problems.append(Problem(place, f"sign {name}: {message}", remedy, column=column, value=str(value)))

    before = len(problems)
    if not isinstance(name, str) or not name.strip() or name != name.strip():
        fault("its name is not plain text", "Give it a name such as my_sign, in quotes where it looks like a number.")
    elif name in SIGN:
        fault("is of the vocabulary and cannot be redefined", "Choose another name.")
    entry = {} if entry is None else entry
    if not isinstance(entry, dict):
        fault("is not a mapping", "Write its label, group and parent below its name.")
        return None
    for key, value in entry.items():
        usable, message, remedy = _ENTRIES.get(key, _UNKNOWN_ENTRY)
        if not usable(value):
            fault(message, remedy, str(key), value)
    if len(problems) > before:
        return None
    label = entry.get("label", name.replace("_", " "))
    return Sign(
        name=name,
        label=label,
        plural=entry.get("plural", label),
        definition=entry.get("definition", ""),
        role=entry.get("role", "context"),
        group=entry.get("group", STRUCTURE),
        width_um=tuple(entry["width_um"]) if entry.get("width_um") else None,
        reference_um=entry.get("reference_um"),
        min_px=entry.get("min_px"),
        colour=tuple(entry.get("colour") or (0, 0, 0)),
        parent=entry.get("parent"),
    )


def _is_text(raw: Any) -> bool:
    return isinstance(raw, str)


def _is_text_or_none(raw: Any) -> bool:
    return raw is None or isinstance(raw, str)


def _is_number_or_none(raw: Any) -> bool:
    return raw is None or _numbers([raw], 1)


def _is_range_or_none(raw: Any) -> bool:
    return raw is None or _numbers(raw, 2)


def _is_colour(raw: Any) -> bool:
    return _numbers(raw, 3) and all(isinstance(number, int) and 0 <= number <= 255 for number in raw)


def _is_role(raw: Any) -> bool:
    return raw in get_args(Role)


def _numbers(raw: Any, length: int) -> bool:
    return (
        isinstance(raw, list)
        and len(raw) == length
        and all(isinstance(number, int | float) and not isinstance(number, bool) for number in raw)
    )


_TEXT = ("is not text", "Put it in quotes.")
_NUMBER = ("is not a number", "Write a number.")
_ENTRIES: dict[str, tuple[Callable[[Any], bool], str, str]] = {
    "label": (_is_text, *_TEXT),
    "plural": (_is_text, *_TEXT),
    "definition": (_is_text, *_TEXT),
    "role": (_is_role, "is not a role", f"Write one of {', '.join(get_args(Role))}."),
    "group": (_is_text_or_none, *_TEXT),
    "width_um": (_is_range_or_none, "is not a range of two numbers", "Write it as [30, 120]."),
    "reference_um": (_is_number_or_none, *_NUMBER),
    "min_px": (_is_number_or_none, *_NUMBER),
    "colour": (_is_colour, "is not a colour", "Write it as [0, 114, 178] (red, green, blue up to 255)."),
    "parent": (_is_text_or_none, *_TEXT),
}
_UNKNOWN_ENTRY = (lambda _: False, "has an unknown entry", f"Known are {', '.join(_ENTRIES)}.")


def signs_text(signs: Mapping[str, Sign]) -> str:
    """signs.yaml for the signs beyond the vocabulary; "" where there are none."""
    own = {sign.name: _entry(sign) for sign in signs.values() if sign.name not in SIGN}
    if not own:
        return ""
    try:
        import yaml
    except ImportError:
        raise InputError(f"signs.yaml needs PyYAML to be written. {with_extra('labels')}") from None

    class Dumper(yaml.SafeDumper):
        """Quotes text with white space beyond the blank: PyYAML folds some of it away in plain style."""

    def represent(dumper: Dumper, text: str) -> yaml.ScalarNode:
        odd = any(letter.isspace() and letter != " " for letter in text)
        return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if odd else None)

    Dumper.add_representer(str, represent)
    head = "# Signs of this set beyond the vocabulary. Signs of one group compete for a structure; null stands apart.\n"
    return head + yaml.dump({"signs": own}, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=110)


def _entry(sign: Sign) -> dict[str, Any]:
    entry: dict[str, Any] = {}
    for key in _ENTRIES:
        value = getattr(sign, key)
        if key in {"width_um", "colour"} and value is not None:
            value = list(value)
        if value is not None or key == "group":
            entry[key] = value
    return entry
