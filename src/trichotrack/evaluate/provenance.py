"""Where a figure was measured, the machine and the versions, and what recipe a model was made by."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from trichotrack.labels.tables import LabelSet


def machine() -> dict[str, Any]:
    """Processor, cores this process may use, system and Python; no name of the computer or its user."""
    return {
        "processor": _processor(),
        "cores": _cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed version of each package; those not installed are left out."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def recipe_sha256(files: Sequence[Path]) -> str:
    """Hash of what recipes (YAML) say, comments, order of keys and line ends aside; "" of none."""
    import yaml

    said = [yaml.safe_load(file.read_text(encoding="utf-8")) for file in files]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest() if said else ""


def labels_sha256(labelset: LabelSet, rater: str) -> str:
    """Hash of what a rater says of a set's captures, however the patients are split and the tables are written."""
    captures = [(row.file, row.patient, row.um_per_px, row.preparation, row.valid_area) for row in labelset.captures]
    labels = [row for row in labelset.labels if row.rater == rater]
    objects = [row for row in labelset.objects if row.rater == rater]
    named = {row.sign for row in labels}
    parents = [(sign.name, sign.parent) for sign in labelset.signs.values() if sign.name in named]
    rows = sorted(map(repr, [*captures, *labels, *objects, *parents]))
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()


def today() -> str:
    """The date, UTC, as 2026-03-04."""
    return datetime.now(UTC).date().isoformat()


def command_line(words: Sequence[str]) -> str:
    """A command as one would type it, without absolute paths, which are of one machine."""
    return " ".join(f'"{word}"' if re.search(r"\s", word) else word for word in map(_relative, words))


def _relative(word: str) -> str:
    path = Path(word)
    if not path.is_absolute():
        return word
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else path.name


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        named = re.search(r"^model name\s*:\s*(.+)$", info.read_text(encoding="utf-8", errors="replace"), re.MULTILINE)
        if named:
            return named[1].strip()
    return platform.processor() or platform.machine()
