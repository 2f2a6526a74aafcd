"""Labels that follow from others: a sign that is the parent of others is labelled where all of these are."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping

from trichotrack.labels.tables import LabelRow, LabelSet, ObjectRow
from trichotrack.signs import Sign


def with_parents(labelset: LabelSet) -> LabelSet:
    """The set with rows for every parent sign that has none of its own in a capture (by that rater).

    A parent is exhaustive where all signs that declare it as parent are exhaustive; its objects are copies of theirs,
    `<id>/<parent>`. Where a child is unknown, partial or only counted, the parent stays unknown.
    """
    labels, objects = list(labelset.labels), list(labelset.objects)
    levels = {(label.file, label.sign, label.rater): label.level for label in labels}
    places: dict[tuple[str, str], None] = dict.fromkeys((label.file, label.rater) for label in labels)
    by_key: dict[tuple[str, str, str], list[ObjectRow]] = defaultdict(list)
    for marked in objects:
        by_key[marked.file, marked.sign, marked.rater].append(marked)
    for parent, children in _parents_last(labelset.signs):
        for file, rater in places:
            if (file, parent, rater) in levels:
                continue
            if any(levels.get((file, child, rater)) != "exhaustive" for child in children):
                continue
            copies = [
                dataclasses.replace(marked, id=f"{marked.id}/{parent}", sign=parent)
                for child in children
                for marked in by_key[file, child, rater]
            ]
            levels[file, parent, rater] = "exhaustive"
            by_key[file, parent, rater] = copies
            labels.append(LabelRow(file, parent, "exhaustive", rater=rater))
            objects += copies
    return dataclasses.replace(labelset, labels=tuple(labels), objects=tuple(objects))


def _parents_last(signs: Mapping[str, Sign]) -> list[tuple[str, list[str]]]:
    """(parent, its children), a parent after every child of it that is itself a parent."""
    children: dict[str, list[str]] = defaultdict(list)
    for sign in signs.values():
        if sign.parent is not None:
            children[sign.parent].append(sign.name)

    def depth(name: str) -> int:
        return 1 + max((depth(child) for child in children.get(name, ())), default=0)

    return sorted(children.items(), key=lambda item: depth(item[0]))
