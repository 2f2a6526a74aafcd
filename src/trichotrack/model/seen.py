"""Which captures a model has seen, told by the content of their files: names and patients stay where they are."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from trichotrack.model.weights import BUNDLED
from trichotrack.runtime.spec import SEEN_DIGITS

Seen = Mapping[str, Any]
"""`train`, `val`: digests of the captures that taught a model and that chose it; `complete`: whether these are all."""

NOTHING: Seen = {"train": [], "val": [], "complete": True}
UNKNOWN: Seen = {"train": [], "val": [], "complete": False}


def digest_of(file: Path) -> str:
    """The first digits of the SHA-256 of a capture's file, which ModelSpec.seen is asked with."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()[:SEEN_DIGITS]


def seen_by(train: Iterable[object], val: Iterable[object], *earlier: Seen) -> Seen:
    """What a training's sources (those that are files) and what it started from add up to, in no telling order."""
    parts = {"train": train, "val": val}
    digests = {
        split: {digest_of(source.capture.path) for source in sources if hasattr(source, "capture")}
        | {digest for one in earlier for digest in one[split]}
        for split, sources in parts.items()
    }
    return {
        **{split: sorted(known) for split, known in digests.items()},
        "complete": all(one["complete"] for one in earlier),
    }


def seen_before(start: str) -> Seen:
    """What the weights that a training starts from have seen (see weights.load_start, which refuses bad files)."""
    path = Path(start)
    if start in ("scratch", "imagenet", "bundled") or path == BUNDLED:
        return NOTHING
    if path.suffix == ".safetensors":
        with safe_open(path, framework="pt") as file:
            return json.loads(file.metadata().get("captures", "null")) or UNKNOWN
    raw = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    return seen_in(raw.get("manifest", {}))


def seen_in(manifest: Mapping[str, Any]) -> Seen:
    """What a run's manifest tells, those of earlier versions nothing."""
    return manifest.get("captures") or UNKNOWN


def of_synthesis_alone(manifest: Mapping[str, Any]) -> bool:
    """Whether drawn captures alone taught and chose a model and what it started from; False where nothing tells."""
    seen = seen_in(manifest)
    drawn = manifest["data_sha256"] == ""  # drawn captures have no tables that could be hashed
    return bool(drawn and seen["complete"] and not seen["train"] and not seen["val"])
