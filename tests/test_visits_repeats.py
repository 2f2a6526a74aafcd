from __future__ import annotations

import json

import pytest
import typer

from test_visits_cli import ADD, run, workplace  # noqa: F401 (the fixture is used by name)
from trichotrack.cli.app import app
from trichotrack.cli.patient import patient_app
from trichotrack.cli.power import power_app
from trichotrack.cli.record import record_app
from trichotrack.cli.repeatability import repeatability
from trichotrack.cli.visit import visit_app
from trichotrack.problems import InputError
from trichotrack.visits.judging import measured_cv
from trichotrack.visits.record import open_record
from trichotrack.visits.repeats import repeats_in_record, repeats_in_table
from visits_made import write_visit

ALONE = typer.Typer()
ALONE.command()(repeatability)

HEADER = "patient,visit,site,field,repeat,count,area_cm2\n"


def test_relocated_repeats_are_those_whose_label_fits_and_of_one_field_and_visit(workplace):  # noqa: F811
    counts = {"vertex_1_r1": 12, "vertex_1_r2": 15, "vertex_1_1": 40, "vertex_2_r1": 9, "frontal_1_r1": 8}
    write_visit(workplace / "v1", counts, mark=1)
    run(visit_app, "add", "P001", "v1", *ADD)
    with open_record("trichotrack.sqlite") as session:
        (group,) = repeats_in_record(session, "r*", "black_dot")
        assert (group.patient, sorted(group.counts)) == ("P001", [12, 15])
        assert len(set(group.exposures_cm2)) == 1
        with pytest.raises(InputError, match="whose repeat fits 'x\\*'"):
            repeats_in_record(session, "x*")


def test_made_up_patients_say_nothing_of_how_real_counts_differ(workplace):  # noqa: F811
    for number, patient in enumerate(("P001", "S001"), start=1):
        write_visit(workplace / patient, {"vertex_1_r1": 12 * number, "vertex_1_r2": 15 * number}, mark=number)
    run(patient_app, "add", "S001", "--synthetic")
    run(visit_app, "add", "S001", "S001", *ADD)
    with open_record("trichotrack.sqlite") as session:
        assert [group.patient for group in repeats_in_record(session, "r*", "black_dot")] == ["S001"]
    run(visit_app, "add", "P001", "P001", *ADD)
    with open_record("trichotrack.sqlite") as session:
        assert [group.patient for group in repeats_in_record(session, "r*", "black_dot")] == ["P001"]


def test_a_table_of_repeats_is_grouped_by_place_and_its_faults_are_all_told(tmp_path):
    table = tmp_path / "repeats.csv"
    table.write_text(HEADER + "P1,1,vertex,1,a,12,0.3\nP1,1,vertex,1,b,15,0.3\nP1,1,vertex,2,a,9,0.3\n")
    first, second = repeats_in_table(table)
    assert (first.counts, second.counts) == ((12, 15), (9,))
    table.write_text(HEADER + "P1,1,vertex,1,a,-2,0.3\n,1,vertex,1,b,15,0\n")
    with pytest.raises(InputError) as caught:
        repeats_in_table(table)
    assert len(caught.value.problems) == 3


def test_repeatability_by_command_and_judged_by(workplace):  # noqa: F811
    rows = [f"P{p},1,vertex,1,{r},{60 + 5 * (p + r) % 11},0.3" for p in range(6) for r in range(3)]
    (workplace / "repeats.csv").write_text(HEADER + "\n".join(rows) + "\n")
    told = run(ALONE, "--table", "repeats.csv")
    assert "6 fields of 6 patients, 12 degrees of freedom." in told
    assert "Verdicts would take its upper 80 % bound" in told
    machine = run(ALONE, "--table", "repeats.csv", "--json")
    (workplace / "measured.json").write_text(machine)
    assert measured_cv(workplace / "measured.json")[1] == 12
    (workplace / "terminal.json").write_text(run(ALONE, "--table", "repeats.csv", "--sign", "terminal_hair", "--json"))
    with pytest.raises(InputError, match="was measured of terminal_hair"):
        measured_cv(workplace / "terminal.json")
    write_visit(workplace / "v1", {"vertex_1_1": 60}, mark=1)
    write_visit(workplace / "v2", {"vertex_1_1": 60}, mark=2)
    run(visit_app, "add", "P001", "v1", *ADD)
    run(visit_app, "add", "P001", "v2", "--date", "2026-06-01", *ADD[2:])

    run(record_app, "accept", "P001", "--author", "A. Kim")
    assert "variation of 15 % at each visit (assumed)." in run(visit_app, "show", "P001")
    told = run(visit_app, "show", "P001", "--repeatability", "measured.json", "--stable-within", "1.6")
    assert "at each visit (measured, upper 80 % bound, 12 degrees of freedom)." in told
    assert "Activity signs are stable" in told
    assert "Not corrected for the model's errors: a person reviewed these readings." in told
    told = run(app, "report", "P001", "--repeatability", "measured.json", "--stable-within", "1.6")
    assert "Activity signs are stable" in told
    assert "measured, upper 80 % bound, 12 degrees of freedom" in (workplace / "report-P001.html").read_text("utf-8")
    assert "holds no measured repeatability" in run(
        visit_app, "show", "P001", "--repeatability", "repeats.csv", exit_code=2
    )
    assert "no outcome 'dots'" in run(ALONE, "--table", "repeats.csv", "--sign", "dots", exit_code=2)


def test_power_by_command():
    told = run(power_app, "fields", "--change", "-50", "--events", "4", "--sites", "3")
    assert "fields a site at each visit: a change of -50 % is told with a chance of 8" in told
    assert json.loads(run(power_app, "fields", "--change", "-50", "--events", "4", "--json"))["fields"] > 3
    told = run(power_app, "fields", "--change", "-15", "--events", "40")
    assert "hides it: unlimited fields reach" in told
    told = run(power_app, "patients", "--change", "-50", "--control-change", "-10", "--events", "40")
    assert "patients an arm" in told
    assert json.loads(run(power_app, "patients", "--change", "-50", "--events", "40", "--json"))["per_arm"] > 5
    assert "Give it as a share" in run(
        power_app, "fields", "--change", "-50", "--events", "4", "--power", "80", exit_code=2
    )
    for command in ("fields", "patients"):
        assert "Example: trichotrack" in " ".join(run(power_app, command, "--help").split())
    assert "power" in run(app, "--help")


def test_trend_by_command(workplace):  # noqa: F811
    for month, count in enumerate((80, 66, 60, 50, 44, 37, 30), start=1):
        write_visit(workplace / f"v{month}", {"vertex_1_1": count}, mark=month)
        run(visit_app, "add", "P001", f"v{month}", "--date", f"2026-{month:02d}-05", *ADD[2:])
    assert "no trend, readings of a model not validated on patients have not been reviewed" in run(
        visit_app, "trend", "P001"
    )
    from trichotrack.cli.treatment import treatment_app

    run(record_app, "accept", "P001", "--author", "A. Kim")
    run(treatment_app, "add", "P001", "--drug", "drug A", "--start", "2026-04-05", "--end", "2026-06-30")
    told = run(visit_app, "trend", "P001")
    assert "- Active load: -1" in told
    assert "  On drug A, beside that: " in told
    assert "Whether a sign changed is what the verdicts say." in " ".join(told.split())
    machine = json.loads(run(visit_app, "trend", "P001", "--json"))
    assert machine["trends"][0]["terms"][0]["name"] == "month"
    assert "Example: trichotrack" in " ".join(run(visit_app, "trend", "--help").split())
