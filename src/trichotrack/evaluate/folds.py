"""Evaluations of several models, each on patients of its own, pooled: how well a way of training does."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from trichotrack.capture import natural_key
from trichotrack.evaluate.classes import class_agreement
from trichotrack.evaluate.evaluation import SUMMARY, Evaluation
from trichotrack.evaluate.figures import summarise
from trichotrack.evaluate.presence import presence_of
from trichotrack.evaluate.written import read_evaluation
from trichotrack.labels.patients import UNKNOWN_PATIENTS
from trichotrack.problems import InputError, Problem
from trichotrack.runtime.reading import ModelRef

_NAMED = 10
"""So many patients are named in a sentence; of more it is said how many."""


def _tolerance(evaluation: Evaluation) -> str:
    if evaluation.tolerance_mm is not None:
        return f"{evaluation.tolerance_mm:g} mm"
    own = "none" if evaluation.tolerance_px is None else f"{evaluation.tolerance_px:g} px"
    return f"{own} of a long side of {evaluation.long_side_px} px"


_ALIKE: tuple[tuple[str, Callable[[Evaluation], object], str], ...] = (
    ("data", lambda one: one.data, "Evaluate all on one labelled folder, or give it one --name."),
    ("labels", lambda one: one.labels_sha256[:12], "Something was relabelled in between: evaluate all on it anew."),
    ("rater", lambda one: one.rater or "the reference", "Give all the same --rater."),
    ("signs", lambda one: ", ".join(sorted(one.unlabelled)), "Compare the signs that all models count, by --sign."),
    ("ignored signs", lambda one: ", ".join(sorted(one.ignored_signs)) or "none", "Give all the same --ignore-sign."),
    ("tolerance", _tolerance, "Give all the same --tolerance-mm, or train all by one plan."),
)
"""What must be the same in all: its name, how it is told, and what to do where it is not."""


def read_folds(given: Sequence[str | Path]) -> dict[str, Evaluation]:
    """The evaluations written to folders (or globs of such), by the folders' names, sorted as people count.

    Raises InputError naming all that is wrong with any of them.
    """
    folders: dict[Path, Path] = {}
    problems: list[Problem] = []
    for one in map(str, given):
        matches = [Path(one)]
        if glob.has_magic(one) and not Path(one).exists():
            # What else is called alike, such as the models themselves, is no evaluation.
            matches = [Path(path) for path in glob.glob(one) if (Path(path) / SUMMARY).is_file()]  # noqa: PTH207
            if not matches:
                problems.append(Problem(one, f"matches no folder with {SUMMARY} in it", "Check the pattern."))
        for path in matches:
            folder = path.parent if path.name == SUMMARY else path
            folders.setdefault(folder.resolve(), folder)
    paths = sorted(folders.values(), key=natural_key)
    alone = Counter(path.name for path in paths)
    found = {}
    for path in paths:
        try:
            found[path.name if path.name and alone[path.name] == 1 else path.as_posix()] = read_evaluation(path)
        except InputError as error:
            problems += error.problems
    if problems:
        raise InputError(problems)
    return found


def pool(folds: Mapping[str, Evaluation], *, resamples: int = 2000) -> Evaluation:
    """One evaluation of all their captures, intervals over all their patients; folds: by name, two or more.

    Where one model made them all, it is the evaluation of that model on the captures of all. Raises InputError naming
    all that keeps the figures apart: other signs, tolerances or labels, a patient in two folds, or one who taught the
    model of theirs.
    """
    evaluations = list(folds.values())
    if len(evaluations) < 2:
        raise InputError(f"{_several(len(evaluations), 'evaluation')} cannot be pooled. Give two or more.")
    problems = [*_differences(folds), *_in_two(folds), *_taught(folds)]
    if problems:
        raise InputError(problems)
    first = evaluations[0]
    scores = tuple(score for one in evaluations for score in one.scores)
    told = [(told, number) for number, one in enumerate(evaluations) for told in one.presences]
    presences, models = tuple(told for told, _ in told), _by_model(evaluations, [number for _, number in told])
    pairs = tuple(pair for one in evaluations for pair in one.pairs)
    seen = [one.seen for one in evaluations]
    return Evaluation(
        model=_model(folds),
        data=first.data,
        split=first.split if len({one.split for one in evaluations}) == 1 else None,
        rater=first.rater,
        tolerance_mm=first.tolerance_mm,
        ignored_signs=first.ignored_signs,
        captures=sum(one.captures for one in evaluations),
        patients=sum(one.patients for one in evaluations),
        signs=summarise(scores, resamples=resamples),
        scores=scores,
        unlabelled=_added(one.unlabelled for one in evaluations),
        refused=_added(one.refused for one in evaluations),
        comparisons=(),
        problems=tuple(problem for one in evaluations for problem in one.problems),
        seconds=sum(one.seconds for one in evaluations),
        classes=class_agreement([(one.patient, one.pairs) for one in pairs], list(first.unlabelled), resamples)[0],
        patients_notice=_patients_notice(evaluations),
        tolerance_px=first.tolerance_px,
        long_side_px=first.long_side_px,
        splits=_added(one.splits for one in evaluations),
        presence={
            sign: presence_of(sign, presences, models)
            for sign in dict.fromkeys(sign for one in evaluations for sign in one.presence)
        },
        presences=presences,
        pairs=pairs,
        labels_sha256=first.labels_sha256,
        seen=None if None in seen else {file: split for one in seen if one for file, split in one.items()},
        seen_wholly=all(one.seen_wholly for one in evaluations),
        by_fold={
            fold: (sum(one.by_fold.get(fold, (0, 0))[0] for one in evaluations), there)
            for fold, (_, there) in first.by_fold.items()
        },
        folds=dict(folds),
    )


def _differences(folds: Mapping[str, Evaluation]) -> list[Problem]:
    problems = []
    for what, tell, remedy in _ALIKE:
        names: dict[object, list[str]] = {}
        for name, one in folds.items():
            names.setdefault(tell(one), []).append(name)
        if len(names) > 1:
            told = "; ".join(f"{value} in {', '.join(those)}" for value, those in names.items())
            problems.append(Problem("the evaluations", f"differ in {what}: {told}", remedy))
    return problems


def _patients(evaluation: Evaluation) -> dict[str, str]:
    """By file, whose it is, of the captures of which anything was compared."""
    return {one.file: one.patient for part in (evaluation.scores, evaluation.presences) for one in part}


def _in_two(folds: Mapping[str, Evaluation]) -> list[Problem]:
    where: dict[str, list[str]] = {}
    for name, one in folds.items():
        for patient in sorted(set(_patients(one).values()), key=natural_key):
            where.setdefault(patient, []).append(name)
    shared: dict[tuple[str, ...], list[str]] = {}
    for patient, names in where.items():
        if len(names) > 1:
            shared.setdefault(tuple(names), []).append(patient)
    remedy = "Each patient counts once: evaluate every model on its own fold alone, by --split."
    return [
        Problem(" and ".join(names), f"have {_named(patients)} in common", remedy) for names, patients in shared.items()
    ]


def _taught(folds: Mapping[str, Evaluation]) -> list[Problem]:
    remedy = "Evaluate each model on the fold that was left out of its training."
    problems = []
    for name, one in folds.items():
        if one.seen is None:
            if count := one.splits.get("train", 0):
                captures = _several(count, "capture")
                problems.append(
                    Problem(name, f"is of {captures} of split train, by which its model was taught", remedy)
                )
            continue
        whose = _patients(one)
        taught = {whose[file] for file, split in one.seen.items() if split == "train" and file in whose}
        if taught:
            patients = _named(sorted(taught, key=natural_key))
            problems.append(Problem(name, f"is of captures of {patients} that taught its model", remedy))
    return problems


def _named(patients: Sequence[str]) -> str:
    more = len(patients) - _NAMED
    told = ", ".join(patients[:_NAMED]) + (f" and {more} more" if more > 0 else "")
    return f"patient {told}" if len(patients) == 1 else f"patients {told}"


def _several(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _by_model(evaluations: Sequence[Evaluation], folds: Sequence[int]) -> list[int]:
    """The number of the model of each of folds: evaluations of one model rank as one."""
    hashes = [one.model.sha256 for one in evaluations]
    return [hashes.index(hashes[fold]) for fold in folds]


def _model(folds: Mapping[str, Evaluation]) -> ModelRef:
    """Their model where it is one; else a name that says how many they are, and what must be said of them."""
    of_folds: dict[str, list[str]] = {}
    models = {}
    for name, one in folds.items():
        of_folds.setdefault(one.model.sha256, []).append(name)
        models[one.model.sha256] = one.model
    if len(models) == 1:
        return next(iter(models.values()))
    noticed = [name for digest, names in of_folds.items() if models[digest].notice for name in names]
    whose = "None of the models is" if len(noticed) == len(folds) else f"The models of {', '.join(noticed)} are not"
    return ModelRef(
        name=f"{len(models)} models",
        sha256="",
        spec=max(model.spec for model in models.values()),
        validated=all(model.validated for model in models.values()),
        notice=f"{whose} validated on patients." if noticed else "",
    )


def _patients_notice(evaluations: Sequence[Evaluation]) -> str:
    notices = {one.patients_notice for one in evaluations}
    if notices in ({""}, {UNKNOWN_PATIENTS}):
        return notices.pop()
    return f"{UNKNOWN_PATIENTS} (of some captures)"


def _added(counts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return total
