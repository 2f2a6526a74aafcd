"""`trichotrack power`: how many fields, or how many patients, a change takes to be seen."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Annotated

import typer

from trichotrack.cli.record import Json

power_app = typer.Typer(
    help="How many fields or patients a change takes to be seen. See `trichotrack power COMMAND --help`.",
    no_args_is_help=True,
)

Change = Annotated[float, typer.Option(help="The change to be seen, %: -50 for a halving.")]
Cv = Annotated[float, typer.Option(help="Between-capture CV at each visit: assumed 0.15, or as measured.")]
Level = Annotated[float, typer.Option(help="Two-sided level; the first follow-up's is 0.025.")]
Power = Annotated[float, typer.Option(help="The chance asked for.")]


@power_app.command("fields")
def fields(
    change: Change,
    events: Annotated[float, typer.Option(help="Events expected in one field at baseline (density × its area).")],
    sites: Annotated[int, typer.Option(help="Sites, each with so many fields.")] = 1,
    cv: Cv = 0.15,
    level: Level = 0.025,
    power: Power = 0.8,
    as_json: Json = False,
) -> None:
    """Fields a site for one patient's change between two visits to be told.

    Example: trichotrack power fields --change -50 --events 4 --sites 3
    """
    from trichotrack.stats.power import MOST_FIELDS, fields_needed

    found = fields_needed(1 + change / 100, events, sites=sites, cv=cv, level=level, power=power)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    if found.fields is not None:
        one = "1 field" if found.fields == 1 else f"{found.fields} fields"
        typer.echo(f"{one} a site at each visit: a change of {change:+g} % is told with a chance of {found.power:.0%}.")
    else:
        typer.echo(
            f"Not even {MOST_FIELDS} fields a site tell a change of {change:+g} %: a chance of {found.power:.0%}."
        )
    if found.limit < power:
        typer.echo(f"Between-capture variation of {100 * cv:g} % hides it: unlimited fields reach {found.limit:.0%}.")


@power_app.command("patients")
def patients(
    change: Change,
    events: Annotated[float, typer.Option(help="Events expected in one patient at baseline, all fields and sites.")],
    control_change: Annotated[float, typer.Option(help="The change expected in the other arm, %.")] = 0.0,
    between_patients: Annotated[
        float, typer.Option(help="SD of the true log change between patients of one arm: an assumption.")
    ] = 0.6,
    cv: Cv = 0.15,
    level: Level = 0.05,
    power: Power = 0.8,
    as_json: Json = False,
) -> None:
    """Patients in each of two arms for their changes from baseline to be told apart.

    Example: trichotrack power patients --change -50 --control-change -10 --events 40
    """
    from trichotrack.stats.power import MOST_PATIENTS, patients_needed

    found = patients_needed(
        1 + change / 100, 1 + control_change / 100, events,
        between_patients=between_patients, cv=cv, level=level, power=power,
    )  # fmt: skip
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=1))
        return
    arms = f"{change:+g} % and {control_change:+g} %"
    if found.per_arm is None:
        typer.echo(f"More than {MOST_PATIENTS} patients an arm: changes of {arms} are too alike.")
        return
    typer.echo(
        f"{found.per_arm} patients an arm: changes of {arms} are told apart with a chance of {found.power:.0%}.\n"
        f"Assumed: SD of the true log change between patients {between_patients:g}; drop-outs are not counted in."
    )
