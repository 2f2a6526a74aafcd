"""docs/record.md says what the record has: every table, column and command."""

from __future__ import annotations

from pathlib import Path

from trichotrack.cli.clinro import clinro_app
from trichotrack.cli.event import event_app
from trichotrack.cli.lab import lab_app
from trichotrack.cli.patient import patient_app
from trichotrack.cli.photo import photo_app
from trichotrack.cli.record import record_app
from trichotrack.cli.salt import salt_app
from trichotrack.cli.treatment import treatment_app
from trichotrack.cli.visit import visit_app
from trichotrack.visits.schema import Base
from trichotrack.visits.transfer import KINDS

PAGE = Path(__file__).parents[1] / "docs" / "record.md"

GROUPS = {
    "patient": patient_app, "visit": visit_app, "treatment": treatment_app, "salt": salt_app, "clinro": clinro_app,
    "lab": lab_app, "event": event_app, "photo": photo_app, "record": record_app,
}  # fmt: skip


def tables() -> str:
    """The page's part on tables, from the tables themselves."""
    parts = []
    for kind in KINDS:
        lines = [f"### {kind.name}", "", "| column | |", "|---|---|"]
        for column, meaning in kind.columns.items():
            name = f"**`{column}`**" if column in kind.required else f"`{column}`"
            lines.append(f"| {name} | {meaning} |")
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def test_the_tables_on_the_page_are_the_tables_of_the_record():
    text = PAGE.read_text(encoding="utf-8")
    assert text[text.index("### patients") :] == tables()


def test_every_table_and_column_of_the_database_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    shown = {kind.name for kind in KINDS}
    for table in Base.metadata.sorted_tables:
        assert table.name in shown or f"`{table.name}`" in text, table.name
        missing = [column.name for column in table.columns if f"`{column.name}`" not in text]
        assert not missing, table.name


def test_every_command_is_on_the_page():
    text = PAGE.read_text(encoding="utf-8")
    commands = {f"{group} {command.name}" for group, app in GROUPS.items() for command in app.registered_commands}
    commands |= {"amend", "reread"}
    assert not [command for command in commands if f"`{command}`" not in text]
