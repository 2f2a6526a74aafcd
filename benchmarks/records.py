"""One JSON a result, in benchmarks/results: the figures, and the command, machine, versions and date beside them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from trichotrack.evaluate.provenance import command_line, machine, today, versions

RESULTS = Path(__file__).parent / "results"
PACKAGES = ("trichotrack", "numpy", "onnxruntime", "pillow", "scipy")


def write_record(kind: str, name: str, figures: dict[str, Any], *, out: Path = RESULTS) -> Path:
    """Writes `<kind>-<name>.json` with the command that this process was started by; returns its path."""
    script = Path(sys.argv[0])
    record = {
        "kind": kind,
        "name": name,
        "command": command_line(["uv", "run", f"benchmarks/{script.name}", *sys.argv[1:]]),
        "date": today(),
        "machine": machine(),
        "versions": versions(PACKAGES),
        **figures,
    }
    path = path_of(kind, name, out=out)
    out.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return path


def path_of(kind: str, name: str, *, out: Path = RESULTS) -> Path:
    """Where write_record puts it."""
    return out / f"{kind}-{_slug(name)}.json"


def _slug(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
