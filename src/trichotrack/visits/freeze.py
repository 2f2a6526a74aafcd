"""A snapshot of the record that an analysis can name by one hash: the canonical export, and the sha256 of all of it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import trichotrack
from trichotrack.problems import InputError, Problem

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

SCHEMA = "trichotrack.snapshot/1"
MANIFEST = "freeze.json"

_CHANGED = "The snapshot is not what was frozen: take the copy that is."


def freeze_record(session: Session, out: Path) -> str:
    """Writes the record and its manifest to the new folder out; the snapshot's sha256.

    The hash is that of the lines "sha256  path" of all files, sorted by path: the same record gives the same hash,
    whatever database holds it. Raises InputError.
    """
    from trichotrack.visits.transfer import export_record

    found: list[str] = []

    def finish(folder: Path) -> None:
        hashes = _hashes(folder)
        found.append(snapshot_sha256(hashes))
        manifest = {
            "schema": SCHEMA, "sha256": found[0], "software": f"trichotrack {trichotrack.__version__}", "files": hashes,
        }  # fmt: skip
        (folder / MANIFEST).write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")

    export_record(session, out, "csv", finish=finish)
    return found[0]


def verify_snapshot(folder: Path) -> str:
    """The snapshot's sha256, once every file was held against it. Raises InputError naming every difference."""
    manifest = _manifest(folder)
    told, found = manifest["files"], _hashes(folder)
    problems = [Problem(name, "is missing from the snapshot", _CHANGED) for name in sorted(told.keys() - found.keys())]
    problems += [Problem(name, "was not frozen", _CHANGED) for name in sorted(found.keys() - told.keys())]
    changed = sorted(name for name in told.keys() & found.keys() if told[name] != found[name])
    problems += [Problem(name, "has changed since it was frozen", _CHANGED) for name in changed]
    if not problems and manifest["sha256"] != snapshot_sha256(found):
        problems.append(Problem(MANIFEST, "names another sha256 than its files have", _CHANGED))
    if problems:
        raise InputError(problems)
    return str(manifest["sha256"])


def same_as_record(session: Session, sha256: str) -> bool:
    """Whether the record, frozen now, would have this sha256."""
    from trichotrack.visits.transfer import exported_files

    return sha256 == snapshot_sha256({name: hashlib.sha256(data).hexdigest() for name, data in exported_files(session)})


def snapshot_sha256(hashes: Mapping[str, str]) -> str:
    """hashes: sha256 by path."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(hashes.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def _hashes(folder: Path) -> dict[str, str]:
    paths = [path for path in folder.rglob("*") if path.is_file() and path != folder / MANIFEST]
    named = sorted((path.relative_to(folder).as_posix(), path) for path in paths)
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in named}


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        whole = manifest["schema"] == SCHEMA and isinstance(manifest["files"], dict) and manifest["sha256"]
    except OSError:
        message = f"has no {MANIFEST}, so is no snapshot"
        raise InputError(Problem(str(folder), message, "Make one with `trichotrack record freeze --out`.")) from None
    except (ValueError, KeyError, TypeError):
        whole = None
    if not whole:
        raise InputError(Problem(str(path), f"is not a {SCHEMA}", _CHANGED))
    return dict(manifest)
