"""Folders by class, as for image classification: a capture in the folder black_dot shows black dots."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from pathlib import Path

from trichotrack.labels.importers.common import Annotation, Annotations, ClassValue
from trichotrack.labels.importers.images import images_in
from trichotrack.problems import InputError, Problem

_HINTS = {"train": "train", "training": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}


def read_folders(source: Path, out: Path, *, in_place: bool = False) -> Annotations:
    """A folder with a folder for each class (below train, val and test, where all lie in these; they become hints).

    The class of its folder is present in a capture; of other classes nothing is said. The same file in the folders of
    several classes is one capture with all of them. out, in_place: to pass over what an import put there. Raises
    InputError where no image lies in a folder.
    """
    source = Path(source)
    images = images_in(source, Path(out), in_place=in_place)
    parts = {name: name.split("/") for name in images}
    sorted_first = all(len(part) > 2 and part[0].lower() in _HINTS for part in parts.values())
    depth = 1 if parts and sorted_first else 0
    found = Annotations(places=False)
    twins: dict[str, list[str]] = defaultdict(list)
    for name in images:
        if len(parts[name]) > depth + 1:
            twins[_digest(images[name])].append(name)
    for names in twins.values():
        classes = dict.fromkeys(parts[name][depth] for name in names)
        # A file twice in one folder is two captures: which of them is too many, `labels check` asks.
        kept = names[:1] if len(classes) > 1 else names
        if len(classes) > 1:
            found.notes["copies of a file that lies in the folders of several classes: one capture of all"] += (
                len(names) - 1
            )
        hint = _HINTS[parts[names[0]][0].lower()] if depth else ""
        values = tuple(ClassValue(name, "presence", 1) for name in classes)
        found.images += [Annotation(name, (name,), values=values, hint=hint) for name in kept]
    found.images.sort(key=lambda annotation: annotation.source)
    if not found.images:
        raise InputError(Problem(str(source), "holds no image in a folder of a class", "Name the folder above these."))
    return found


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise InputError(Problem(str(path), f"cannot be read ({error.strerror})", "Check its rights.")) from None
