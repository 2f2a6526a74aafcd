"""What is written reads back as it was."""

from __future__ import annotations

import string
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from labels_fixture import save_csv, save_xlsx, sound_tables
from trichotrack.labels.read import read_labels
from trichotrack.labels.rows import CAPTURE_COLUMNS, PREPARATIONS
from trichotrack.labels.spreadsheet import escape, unescape
from trichotrack.labels.tables import SPLITS, CaptureRow, LabelRow, LabelSet, ObjectRow
from trichotrack.labels.write import write_labels, write_split
from trichotrack.problems import InputError
from trichotrack.signs import SIGN, Sign

NASTY = st.sampled_from(
    ["=1+1", "'=1", "''-x", "-3.5", "@a", "+", "a,b;c\td", 'say "x"', "two\nlines", "a\rb", "007", "1,5", "é µ 毛"]
)
# Surrogates cannot be UTF-8, NUL cannot be in a spreadsheet, and readers strip the white space around a cell.
text = (st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8) | NASTY).map(str.strip)
filled = text.filter(bool)
segment = filled.map(lambda name: name.replace("/", "_").replace("\\", "_")).filter(
    lambda name: name not in {".", ".."}
)
files = st.lists(segment.map(lambda name: f"images/{name}"), min_size=1, max_size=4, unique=True)
finite = st.floats(allow_nan=False, allow_infinity=False)
pixels = st.floats(0, 1e5)
microns = st.none() | st.floats(1e-3, 1e4)
dates = st.just("") | st.dates().map(lambda day: day.isoformat()) | st.sampled_from(["2026", "2026-03"])
extra_names = filled.filter(lambda name: name.lower().replace(" ", "_") not in CAPTURE_COLUMNS)
own_signs = st.builds(
    Sign,
    name=filled.filter(lambda name: name not in SIGN),
    label=st.text(max_size=5),
    plural=st.text(max_size=5),
    definition=st.text(max_size=20) | st.just("one\x85two\u2028 three"),
    role=st.sampled_from(["active", "context"]),
    group=st.none() | st.text(max_size=5),
    width_um=st.none() | st.tuples(st.integers(1, 50), st.floats(50, 99)),
    colour=st.tuples(*[st.integers(0, 255)] * 3),
    parent=st.none() | st.sampled_from(list(SIGN)),
)


@st.composite
def labelsets(draw: st.DrawFn) -> LabelSet:
    signs = dict(SIGN) | {sign.name: sign for sign in draw(st.lists(own_signs, max_size=2))}
    names = draw(files)
    extras = draw(st.lists(extra_names, max_size=2, unique_by=lambda name: name.lower()))
    captures = tuple(
        CaptureRow(
            file=file,
            patient=f"{draw(filled)} {number}",
            visit=draw(text),
            site=draw(text),
            field=draw(text),
            um_per_px=draw(st.none() | st.floats(0.2, 100)),
            preparation=draw(st.sampled_from(PREPARATIONS)),
            date=draw(dates),
            device=draw(text),
            split=draw(st.sampled_from(SPLITS)),
            valid_area=draw(st.just("") | segment.map(lambda name: f"masks/{name}")),
            extra={name: draw(text) for name in extras},
        )
        for number, file in enumerate(names)
    )
    keys = st.tuples(st.sampled_from(names), st.sampled_from(sorted(signs)), text)
    labels, objects = [], []
    for file, sign, rater in draw(st.lists(keys, max_size=6, unique=True)):
        level = draw(st.sampled_from(["exhaustive", "partial", "count", "presence"]))
        value = {"count": st.integers(0, 10**6).map(float), "presence": st.sampled_from([0.0, 1.0])}.get(
            level, st.none()
        )
        labels.append(LabelRow(file, sign, level, draw(value), rater))
        for _ in range(draw(st.integers(0, 2)) if level in {"exhaustive", "partial"} else 0):
            tip, box = (
                draw(st.none() | st.tuples(finite, finite)),
                draw(st.none() | st.tuples(*[st.floats(0.1, 1e4)] * 2)),
            )
            place = (f"{draw(text)}#{len(objects)}", file, sign, draw(pixels), draw(pixels), *(tip or (None, None)))
            objects.append(ObjectRow(*place, draw(microns), draw(microns), *(box or (None, None)), rater))
    return LabelSet(Path(), captures, tuple(labels), tuple(objects), signs)


@settings(max_examples=60, deadline=None)
@given(labelset=labelsets())
def test_write_then_read_is_the_identity(tmp_path_factory: pytest.TempPathFactory, labelset: LabelSet) -> None:
    folder = tmp_path_factory.mktemp("set")
    write_labels(labelset, folder)
    again = read_labels(folder)
    assert again.captures == labelset.captures
    assert again.labels == labelset.labels
    assert again.objects == labelset.objects
    assert again.signs == labelset.signs


@given(st.text())
def test_escaping_is_undone_by_unescaping(cell: str) -> None:
    assert unescape(escape(cell)) == cell


@given(st.text(string.printable, min_size=1))
def test_no_escaped_cell_starts_a_formula_unless_it_is_a_number(cell: str) -> None:
    written = escape(cell)
    if written[0] in "=+-@":
        float(written.replace(",", "."))


def test_numbers_in_text_columns_stay_numbers() -> None:
    assert [escape(cell) for cell in ("-3.5", "+2", "-1,5e3")] == ["-3.5", "+2", "-1,5e3"]
    assert [escape(cell) for cell in ("-3.5 mm", "=1", "@x", "plain")] == ["'-3.5 mm", "'=1", "'@x", "plain"]


def sound_set(tmp_path: Path) -> LabelSet:
    source = tmp_path / "source"
    source.mkdir()
    save_csv(source, sound_tables())
    return read_labels(source)


def test_what_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    labelset = sound_set(tmp_path)
    out = tmp_path / "out"
    write_labels(labelset, out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    broken = LabelSet(out, labelset.captures[:1], labelset.labels, labelset.objects)
    with pytest.raises(InputError, match="capture is not listed"):
        write_labels(broken, out)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before


def test_a_signs_yaml_that_no_sign_needs_goes_away(tmp_path: Path) -> None:
    labelset = sound_set(tmp_path)
    own = LabelSet(
        tmp_path, labelset.captures, (), (), SIGN | {"hair": Sign("hair", "hair", "hairs", "", role="context")}
    )
    write_labels(own, tmp_path / "out")
    assert (tmp_path / "out" / "signs.yaml").exists()
    write_labels(labelset, tmp_path / "out")
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["captures.csv", "labels.csv", "objects.csv"]


def test_tables_are_not_written_beside_workbooks_of_the_same_name(tmp_path: Path) -> None:
    labelset = sound_set(tmp_path)
    out = tmp_path / "out"
    out.mkdir()
    save_xlsx(out, sound_tables())
    with pytest.raises(InputError, match=r"captures\.xlsx"):
        write_labels(labelset, out)


@pytest.mark.parametrize("save", [save_csv, save_xlsx])
def test_writing_a_split_keeps_every_other_cell(tmp_path: Path, save: object) -> None:
    tables = sound_tables()
    tables["captures"][0].append("note")
    for number, row in enumerate(tables["captures"][1:]):
        row.append(f"n{number}")
    del tables["captures"][2:3]  # b.jpg, to leave one split to change
    tables["labels"] = [row for row in tables["labels"] if row[0] != "images/b.jpg"]
    save(tmp_path, tables)
    untouched = {path.name: path.read_bytes() for path in tmp_path.iterdir() if "captures" not in path.name}
    before = read_labels(tmp_path)
    changed = LabelSet(
        tmp_path,
        tuple(
            CaptureRow(**{**vars(row), "split": "test" if row is before.captures[0] else "val"})
            for row in before.captures
        ),
        before.labels,
        before.objects,
    )
    write_split(changed, tmp_path)
    assert read_labels(tmp_path).captures == changed.captures
    assert {name: (tmp_path / name).read_bytes() for name in untouched} == untouched
    assert len(list(tmp_path.iterdir())) == 3
