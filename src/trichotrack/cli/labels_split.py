"""`trichotrack labels split`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from trichotrack.problems import InputError

if TYPE_CHECKING:
    from trichotrack.labels.enough import Part
    from trichotrack.labels.tables import LabelSet

ALL_FOLDS = "all folds"
ALL_THE_SAME = "To split all the same, give --allow-few."


def split(
    folder: Annotated[Path, typer.Argument(help="Folder that holds captures, labels and objects (.csv or .xlsx).")],
    val: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the patients for validation. Default: 0.2.")
    ] = None,
    test: Annotated[
        float | None, typer.Option(min=0.0, max=1.0, help="Share of the patients kept for testing. Default: none.")
    ] = None,
    folds: Annotated[
        int | None, typer.Option(help="In place of --val: so many folds, each patient in one; fold 1 validates.")
    ] = None,
    fold: Annotated[int | None, typer.Option(help="Of the folds that are there, the one that validates.")] = None,
    by: Annotated[
        str, typer.Option(metavar="COLUMN", help="Keep together all who share a value: device, clinic, ...")
    ] = "",
    by_device: Annotated[bool, typer.Option("--by-device", help="The same as --by device.")] = False,
    hold_out: Annotated[
        list[str] | None,
        typer.Option(metavar="VALUE", help="With --by: the value whose patients are the test (may be repeated)."),
    ] = None,
    signs: Annotated[
        list[str] | None,
        typer.Option("--sign", help="A sign that must be measurable: refuse where too few patients show it."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other patients.")] = 0,
    allow_few: Annotated[
        bool, typer.Option("--allow-few", help="Split although there are too few patients to show anything.")
    ] = False,
    add: Annotated[
        bool, typer.Option("--add", help="Of a set that has grown: nobody moves, only new patients are drawn.")
    ] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace another split that is there.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON for machines.")] = False,
) -> None:
    """Share the patients among train, val and test, or among folds, and write it to the captures table.

    All captures of a patient go together, and each part gets the same mixture of signs as far as that goes. Example:
    trichotrack labels split my-set --val 0.2 --seed 0

    By clinic: trichotrack labels split my-set --by clinic --hold-out Berlin

    With captures added since: trichotrack labels split my-set --add
    """
    from trichotrack.labels import folds as sharing
    from trichotrack.labels.derive import with_parents
    from trichotrack.labels.enough import parts_of, readers_alone, refuse_too_few
    from trichotrack.labels.read import read_labels
    from trichotrack.labels.write import write_split

    by = by or ("device" if by_device else "")
    _refuse_together(val=val, test=test, folds=folds, fold=fold, by=by, hold_out=hold_out, add=add, replace=replace)
    labelset = read_labels(folder)
    there = {capture.split for capture in labelset.captures} - {""}
    shares = {"val": val, "test": test}
    if add and there:
        done = _grown(labelset, by, shares, seed)
    elif fold is not None and folds is None:
        done = sharing.use_fold(labelset, fold)
    else:
        held_out = {"val": 0.0 if folds else 0.2, "test": 0.0} | _asked(shares)
        if hold_out:
            done = sharing.hold_out(labelset, by, hold_out, held_out["val"], seed)
        else:
            done = _shared(labelset, by, held_out, seed)
        done = sharing.without_folds(done)
    if folds is not None:
        done = sharing.use_fold(sharing.with_folds(done, folds, seed, by="" if hold_out else by), fold or 1)
    told = with_parents(done)
    splits = parts_of(told, lambda row: row.split)
    by_fold = parts_of(told, lambda row: row.extra.get(sharing.FOLD, ""))
    measured = _measured(told, splits, folded=bool(by_fold))
    if not allow_few:
        # What was there before an addition stays, whatever it can show; a sign that is asked for is looked at anew.
        old = {*there, ALL_FOLDS} if add and there and not signs else set()
        judged = [part for part in measured if part.name not in old]
        if judged and (alone := readers_alone(labelset.labels)):
            raise InputError(dataclasses.replace(alone, remedy=f"{alone.remedy} {ALL_THE_SAME}"))
        refuse_too_few(judged, signs or (), _remedy(labelset))
    if done.captures != labelset.captures:
        drawn = not add and (fold is None or folds is not None)
        if there and drawn and not replace:
            raise InputError(
                f"{folder} is split already, and otherwise: a model selected on that split has seen its patients. Give "
                "--add to leave everybody where they are, and draw only patients who have no split; or --replace to "
                "draw everybody anew, after which those who were tested may train."
            )
        write_split(done, folder)
    _show(told, splits, by_fold, measured, as_json=as_json)


def _refuse_together(
    *,
    val: float | None,
    test: float | None,
    folds: int | None,
    fold: int | None,
    by: str,
    hold_out: Sequence[str] | None,
    add: bool,
    replace: bool,
) -> None:
    """Raises InputError where one option would leave another without effect."""
    if hold_out and not by:
        raise InputError("--hold-out needs the column: give --by device, --by clinic or the like.")
    if hold_out and test:
        raise InputError("--hold-out says who is tested, so --test has nothing to draw: give one of them.")
    if folds is not None and val is not None:
        raise InputError(
            f"--folds {folds} makes each fold validate in turn, so --val has nothing to draw: give one of them."
        )
    if add:
        _refuse_beside_add(replace=replace, hold_out=bool(hold_out), folds=folds, fold=fold)
    elif fold is not None and folds is None and (val is not None or test is not None or by):
        raise InputError(
            f"--fold {fold} takes the folds that are there and draws nobody: leave --val, --test and --by away, or "
            "give --folds to draw anew."
        )


def _refuse_beside_add(*, replace: bool, hold_out: bool, folds: int | None, fold: int | None) -> None:
    if replace:
        raise InputError("--add leaves everybody where they are, --replace draws everybody anew: give one of them.")
    if folds is not None:
        raise InputError(
            f"--folds {folds} draws everybody anew, so it cannot go with --add. Where the set has folds, --add alone "
            "gives new patients one; else give --folds with --replace."
        )
    if fold is not None:
        raise InputError(f"--fold {fold} draws nobody: give --add first, then --fold {fold}.")
    if hold_out:
        raise InputError(
            "--hold-out says who is tested, and --add moves nobody: in the captures table, write test as the split of "
            "that group's new captures, then give --add alone."
        )


def _asked(shares: Mapping[str, float | None]) -> dict[str, float]:
    return {name: share for name, share in shares.items() if share is not None}


def _grown(labelset: LabelSet, by: str, shares: Mapping[str, float | None], seed: int) -> LabelSet:
    """The set with its new captures and patients placed: towards the shares asked, else those that are there."""
    from trichotrack.labels.folds import FOLD
    from trichotrack.labels.grown import add_patients, shares_there

    if _asked(shares) and any(capture.extra.get(FOLD) for capture in labelset.captures):
        raise InputError(
            "the set has folds, and --add shares new patients evenly among them: leave --val and --test away, for they "
            "have nothing to draw."
        )
    held_out = {name: share for name, share in shares_there(labelset).items() if name != "train"} | _asked(shares)
    return add_patients(labelset, _with_train(held_out), seed, by=by)


def _shared(labelset: LabelSet, by: str, held_out: dict[str, float], seed: int) -> LabelSet:
    from trichotrack.labels.folds import split_by_groups, with_every_sign
    from trichotrack.labels.split import split_by_patient

    shares = _with_train(held_out)
    if by:
        return split_by_groups(labelset, by, shares, seed)
    return with_every_sign(split_by_patient(labelset, shares, seed))


def _with_train(held_out: Mapping[str, float]) -> dict[str, float]:
    """The shares of all splits: train has what the others leave."""
    shares = {"train": round(1.0 - sum(held_out.values()), 9), **held_out}
    shares = {name: share for name, share in shares.items() if share}
    if shares.get("train", 0) <= 0:
        raise InputError(f"--val and --test add to {sum(held_out.values()):g}: somebody must be left to train on.")
    return shares


def _measured(labelset: LabelSet, splits: Sequence[Part], *, folded: bool) -> list[Part]:
    """The parts that figures are taken on. Over folds that is all who are in one: each validates once."""
    from trichotrack.labels.enough import HELD_OUT, parts_of
    from trichotrack.labels.folds import FOLD

    if not folded:
        return [part for part in splits if part.name in HELD_OUT]
    whole = parts_of(labelset, lambda row: ALL_FOLDS if row.extra.get(FOLD) else "")
    return [*whole, *(part for part in splits if part.name == "test")]


def _unlabelled(splits: Sequence[Part]) -> list[str]:
    return [
        f"train: {part.patients - part.labelled} of {part.patients} patients have no reference label. They are not "
        "drawn but stay in train, also when they are labelled later."
        for part in splits
        if part.name == "train" and part.labelled < part.patients
    ]


def _remedy(labelset: LabelSet) -> str:
    from trichotrack.labels.enough import LEAST_PATIENTS
    from trichotrack.labels.split import patients_to_draw

    share = LEAST_PATIENTS / len(patients_to_draw(labelset))
    larger = f"hold out more (--val {share:.2g} gives {LEAST_PATIENTS}), or " if share <= 0.5 else ""
    return f"Label more people, {larger}use --folds 5, by which each patient validates once. {ALL_THE_SAME}"


def _show(
    labelset: LabelSet, splits: Sequence[Part], by_fold: Sequence[Part], measured: Sequence[Part], *, as_json: bool
) -> None:
    from trichotrack.cli.labels_shown import print_json, print_table
    from trichotrack.labels.enough import readers_alone, remarks_on, unmeasured
    from trichotrack.labels.summary import summarise

    remarks = [*remarks_on(measured), *_unlabelled(splits), *filter(None, [unmeasured(labelset)])]
    if alone := readers_alone(labelset.labels):
        remarks = [str(alone)]
    if as_json:
        parts = {"splits": splits, "folds": by_fold}
        told = {name: [dataclasses.asdict(part) for part in found] for name, found in parts.items() if found}
        print_json({**summarise(labelset).to_dict(), **told, "remarks": remarks})
        return
    for title, noun, parts_shown in (("Splits", "", splits), ("Folds", "fold ", by_fold)):
        if parts_shown:
            names = [f"{noun}{part.name}" for part in parts_shown]
            rows = [
                ["patients", *(str(part.patients) for part in parts_shown)],
                ["captures", *(str(part.captures) for part in parts_shown)],
            ]
            if any(part.labelled < part.patients for part in parts_shown):
                rows.insert(1, ["labelled patients", *(str(part.labelled) for part in parts_shown)])
            rows += [
                [
                    sign,
                    *(
                        f"{part.signs[sign].patients} ({part.signs[sign].structures})"
                        if part.signs[sign].known
                        else "unknown"
                        for part in parts_shown
                    ),
                ]
                for sign in parts_shown[0].signs
            ]
            print_table(f"{title}: patients who show a sign (structures marked or counted)", ["", *names], rows)
    for remark in remarks:
        typer.echo(remark)
