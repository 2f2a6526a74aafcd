"""`trichotrack analyze` and `check`: what is written, what is said, and what a bad file does to a batch: nothing."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner, Result

from tiny_model import NO_SCALP, build_tiny_model, scaleless_spec, scalp, tiny_spec
from trichotrack.cli.analysis_files import cell_text, output_names
from trichotrack.cli.app import app
from trichotrack.runtime.counter import Counter
from trichotrack.runtime.model_file import SELFTEST_KEY
from trichotrack.runtime.reading import Reading
from trichotrack.runtime.selftest import make_selftest

DOTS = [(50.0, 60.0), (200.0, 90.0), (120.0, 200.0)]
REAL = Path(__file__).parents[2] / "shared" / "datasets" / "hair-follicles-70x" / "Images"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    return tmp_path


def capture(path: Path, dots: int = 3, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(scalp(300, 260, {"black_dot": DOTS[:dots]})).save(path, **options)
    return path


def analyze(*arguments: object, model: Path | None = None) -> Result:
    given = [*map(str, arguments), "--threads", "1", *(["--model", str(model)] if model else [])]
    return CliRunner().invoke(app, ["analyze", *given])


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("out", ["notes.txt", "notes.txt/out"])
def test_results_that_would_go_into_a_file_are_refused_in_words(here: Path, model: Path, out: str) -> None:
    capture(here / "a.png")
    (here / "notes.txt").write_text("mine")
    result = analyze("a.png", "--um-per-px", 6, "--out", out, model=model)
    assert result.exit_code == 2
    assert "a file is where a folder is to be. Give another path." in result.output
    assert (here / "notes.txt").read_text() == "mine"


def test_a_batch_gives_readings_tables_and_overlays(here: Path, model: Path) -> None:
    capture(here / "in" / "a.png", 3)
    capture(here / "in" / "b.png", 1)
    result = analyze("in", "--um-per-px", 6, "--out", "out", model=model)
    assert result.exit_code == 0, result.output
    reading = Reading.from_json((here / "out/readings/a.json").read_text(encoding="utf-8"))
    assert reading.signs["black_dot"].count == 3
    assert reading.file == "in/a.png"
    table = rows(here / "out/readings.csv")
    assert [(row["file"], row["sign"], row["count"]) for row in table] == [
        ("in/a.png", "black_dot", "3"), ("in/a.png", "broken_hair", "0"),
        ("in/b.png", "black_dot", "1"), ("in/b.png", "broken_hair", "0"),
    ]  # fmt: skip
    assert float(table[0]["density_per_cm2"]) == pytest.approx(3 / reading.area_cm2)
    marks = rows(here / "out/objects.csv")
    assert [(row["file"], row["sign"]) for row in marks] == [("in/a.png", "black_dot")] * 3 + [
        ("in/b.png", "black_dot")
    ]
    assert rows(here / "out/problems.csv") == []
    with Image.open(here / "out/overlays/a.jpg") as overlay:
        assert overlay.width == 300
    assert "not validated on patients" in result.output
    assert "2 captures read." in result.output
    assert (
        analyze("in/a.png", "--um-per-px", 6, "--out", "out", model=model)
        .output.splitlines()[-1]
        .startswith("1 capture read.")
    )


def test_bad_files_are_listed_and_cost_nothing_else(here: Path, model: Path) -> None:
    good = capture(here / "in" / "good.png")
    (here / "in" / "empty.jpg").touch()
    (here / "in" / "text.jpg").write_text("text")
    (here / "in" / "cut.png").write_bytes(good.read_bytes()[:300])
    Image.new("RGB", (1, 1)).save(here / "in" / "one.png")
    result = analyze("in", "--um-per-px", 6, "--out", "out", model=model)
    assert result.exit_code == 3
    problems = {row["file"]: row["problem"] for row in rows(here / "out/problems.csv")}
    assert set(problems) == {"in/cut.png", "in/empty.jpg", "in/one.png", "in/text.jpg"}
    assert all(problems.values())
    assert [row["file"] for row in rows(here / "out/readings.csv")] == ["in/good.png"] * 2
    assert "4 could not be read" in result.output


def test_a_fault_of_ours_in_one_capture_costs_no_other(
    here: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    capture(here / "a.png")
    capture(here / "b.png")
    honest = Counter.read

    def read(self: Counter, given: object, **options: object) -> Reading:
        if given.file == "a.png":
            raise IndexError("lost")
        return honest(self, given, **options)

    monkeypatch.setattr(Counter, "read", read)
    result = analyze("*.png", "--um-per-px", 6, "--out", "out", model=model)
    assert result.exit_code == 3
    (problem,) = rows(here / "out/problems.csv")
    assert (problem["file"], "IndexError: lost" in problem["problem"]) == ("a.png", True)
    assert len(rows(here / "out/readings.csv")) == 2


def test_what_was_read_before_an_interruption_is_kept(here: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        capture(here / f"{name}.png")
    honest = Counter.read

    def read(self: Counter, given: object, **options: object) -> Reading:
        if given.file == "b.png":
            raise KeyboardInterrupt
        return honest(self, given, **options)

    monkeypatch.setattr(Counter, "read", read)
    assert analyze("*.png", "--um-per-px", 6, "--out", "out", model=model).exit_code == 130
    assert {row["file"] for row in rows(here / "out/readings.csv")} == {"a.png"}


def test_a_refused_sign_is_empty_with_a_reason_and_never_zero(here: Path, model: Path) -> None:
    capture(here / "a.png")
    result = analyze("a.png", "--um-per-px", 6, "--preparation", "dye", "--out", "out", model=model)
    assert result.exit_code == 0
    black, broken = rows(here / "out/readings.csv")
    assert (black["status"], black["count"], black["density_per_cm2"], black["presence"]) == ("refused", "", "", "")
    assert "dyed" in black["reason"]
    assert (broken["status"], broken["count"]) == ("counted", "0")
    assert "the scalp is dyed" in result.output


def test_the_results_folder_inside_the_captures_folder_is_not_read_again(here: Path, model: Path) -> None:
    capture(here / "in" / "a.png")
    for _ in range(2):
        assert analyze("in", "--um-per-px", 6, "--out", "in/out", model=model).exit_code == 0
        assert len(rows(here / "in/out/readings.csv")) == 2


def test_an_old_result_does_not_stand_for_a_file_that_broke(here: Path, model: Path) -> None:
    path = capture(here / "a.png")
    capture(here / "b.png")
    assert analyze("a.png", "b.png", "--um-per-px", 6, "--out", "out", model=model).exit_code == 0
    path.write_bytes(b"")
    assert analyze("a.png", "b.png", "--um-per-px", 6, "--out", "out", model=model).exit_code == 3
    assert sorted(p.name for p in (here / "out").rglob("*.*") if p.stem in "ab") == ["b.jpg", "b.json"]


def test_formats_choose_what_is_written(here: Path, model: Path) -> None:
    capture(here / "a.png")
    assert analyze("a.png", "--um-per-px", 6, "--out", "out", "--format", "csv", model=model).exit_code == 0
    assert sorted(p.name for p in (here / "out").rglob("*")) == ["objects.csv", "problems.csv", "readings.csv"]
    wrong = analyze("a.png", "--um-per-px", 6, "--format", "pdf", model=model)
    assert wrong.exit_code == 2
    assert "json, csv, overlay" in wrong.output


def test_json_is_all_that_is_printed_and_writes_no_files(here: Path, model: Path) -> None:
    capture(here / "a.png")
    (here / "b.png").touch()
    result = analyze("a.png", "b.png", "--field-width-mm", 1.8, "--json", model=model)
    assert result.exit_code == 3
    content = json.loads(result.stdout)
    assert content["readings"][0]["scale"] == {"um_per_px": 6.0, "source": "field-width"}
    assert content["problems"][0]["file"] == "b.png"
    assert sorted(p.name for p in here.iterdir()) == ["a.png", "b.png"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a.png"], "give --um-per-px"),
        (["a.png", "--um-per-px", "6", "--field-width-mm", "2"], "more than once"),
        (["a.png", "--um-per-px", "0.006"], "µm per pixel"),
        (["a.png", "--field-width-mm", "-1"], "is not the width of a field"),
        (["a.png", "--um-per-px", "6", "--preparation", "wet"], "none, unclipped, clipped, shaved"),
        (["absent.png", "none*.png", "--um-per-px", "6"], "absent.png: does not exist"),
        (["a.png", "--scales", "absent.csv"], "does not exist"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_read(arguments: list[str], said: str, here: Path, model: Path) -> None:
    capture(here / "a.png")
    result = analyze(*arguments, model=model)
    assert result.exit_code == 2
    assert said in result.output
    assert not (here / "trichotrack-readings").exists()


def test_a_table_gives_each_capture_its_scale_and_preparation(here: Path, model: Path) -> None:
    for name in ("x/a.png", "x/b.png", "y/a.png", "y/c.png", "d.png"):
        capture(here / name)
    # A spreadsheet's semicolons and decimal commas; a Windows path; a name alone.
    text = "file;um_per_px;field_width_mm;preparation\nx\\a.png;6,0;;\nx/b.png;;1,8;Dye\nc.png;5;;\na.png;9;;\n"
    (here / "scales.csv").write_text("\ufeff" + text, encoding="utf-8")
    result = analyze("x", "y", "d.png", "--scales", "scales.csv", "--out", "out", model=model)
    assert result.exit_code == 3
    scales = {row["file"]: (row["um_per_px"], row["scale_source"]) for row in rows(here / "out/readings.csv")}
    assert scales == {"x/a.png": ("6", "table"), "x/b.png": ("6", "table"), "y/c.png": ("5", "table")}
    refused = {row["file"] for row in rows(here / "out/readings.csv") if row["status"] == "refused"}
    assert refused == {"x/b.png"}
    problems = {row["file"]: row["problem"] for row in rows(here / "out/problems.csv")}
    assert problems == {"y/a.png": "has no scale in the table", "d.png": "has no scale in the table"}


def test_all_faults_of_a_scale_table_are_said_at_once(here: Path, model: Path) -> None:
    capture(here / "a.png")
    (here / "scales.csv").write_text(
        "file,um_per_px,field_width_mm,preparation\na.png,0.001,,\nb.png,,-2,\nc.png,six,,wet\n", encoding="utf-8"
    )
    result = analyze("a.png", "--scales", "scales.csv", model=model)
    assert result.exit_code == 2
    for place in ("row 2, column um_per_px", "row 3, column field_width_mm", "row 4, column um_per_px",
                  "row 4, column preparation"):  # fmt: skip
        assert place in result.output


def test_two_lines_that_differ_on_one_capture_are_refused(here: Path, model: Path) -> None:
    capture(here / "a.png")
    (here / "scales.csv").write_text("file,um_per_px\na.png,6\n./a.png,7\n", encoding="utf-8")
    assert "says two things of a.png" in analyze("a.png", "--scales", "scales.csv", model=model).output


def test_a_model_without_scales_needs_none(here: Path) -> None:
    capture(here / "a.png")
    path = build_tiny_model(here / "m.onnx", scaleless_spec())
    result = analyze("a.png", "--out", "out", model=path)
    assert result.exit_code == 0, result.output
    assert {row["density_per_cm2"] for row in rows(here / "out/readings.csv")} == {""}
    assert "counts per capture only" in result.output


def test_a_model_that_fails_is_named_beside_the_capture(here: Path) -> None:
    capture(here / "a.png")
    wrong = tiny_spec(outputs=("peaks", "offset"), stride=8)
    path = build_tiny_model(here / "m.onnx", wrong)
    assert analyze("a.png", "--um-per-px", 6, "--out", "out", model=path).exit_code == 3
    (problem,) = rows(here / "out/problems.csv")
    assert problem["file"] == "a.png"
    assert "m.onnx: the model gives peaks of shape" in problem["problem"]


def test_the_same_name_in_two_folders_gives_two_results(here: Path, model: Path) -> None:
    for name in ("v1/a.png", "v2/a.png", "v2/A.bmp", "v2/b.png"):
        capture(here / name)
    assert analyze("v1", "v2", "--um-per-px", 6, "--out", "out", model=model).exit_code == 0
    assert sorted(p.stem for p in (here / "out/readings").iterdir()) == ["A_bmp", "b", "v1_a_png", "v2_a_png"]


def test_output_names_are_unique_whatever_the_paths() -> None:
    paths = ["a.png", "A.png", "x/a.png", "x_a.png", "x/a_png", "é/ü b.png", "é/ü?b.png", "-/-.png", "l" * 300 + ".png",
             "x/" * 40 + "a.png", "a_png.png"]  # fmt: skip
    names = output_names([Path(path) for path in paths])
    assert len({name.casefold() for name in names.values()}) == len(paths)
    assert all(name and len(name) < 130 and "/" not in name and "?" not in name for name in names.values())


def test_a_file_named_like_a_formula_is_no_formula_in_the_tables(here: Path, model: Path) -> None:
    capture(here / "=cmd.png")
    assert analyze("=cmd.png", "--um-per-px", 6, "--out", "out", model=model).exit_code == 0
    assert rows(here / "out/readings.csv")[0]["file"] == "'=cmd.png"
    assert [cell_text(cell) for cell in (None, True, 3, 2.5, -1.0, "-1+1", "@x")] == [
        "", "true", "3", "2.5", "-1", "'-1+1", "'@x",
    ]  # fmt: skip


def test_overlays_carry_nothing_of_the_captures_exif(here: Path, model: Path) -> None:
    exif = Image.Exif()
    exif[0x010E] = "Jane Doe"
    capture(here / "a.jpg", exif=exif)
    assert analyze("a.jpg", "--um-per-px", 6, "--out", "out", model=model).exit_code == 0
    assert not any(b"Jane Doe" in path.read_bytes() for path in (here / "out").rglob("*.*"))


def test_an_exif_rotated_capture_is_read_as_its_upright_copy(here: Path, model: Path) -> None:
    upright = scalp(300, 260, {"black_dot": DOTS})
    Image.fromarray(upright).save(here / "upright.png")
    exif = Image.Exif()
    exif[0x0112] = 3
    Image.fromarray(upright[::-1, ::-1].copy()).save(here / "turned.png", exif=exif)
    assert analyze("upright.png", "turned.png", "--um-per-px", 6, "--out", "out", model=model).exit_code == 0
    marks = rows(here / "out/objects.csv")
    places = {name: [(r["x"], r["y"]) for r in marks if r["file"] == name] for name in ("upright.png", "turned.png")}
    assert places["upright.png"] == places["turned.png"]
    assert len(places["turned.png"]) == 3


def test_analyze_and_check_run_where_only_the_core_is_installed(here: Path) -> None:
    capture(here / "a.png")
    path = with_selftest(here / "m.onnx")
    blocked = (
        "import sys\n"
        "for name in 'torch lightning timm onnx cv2 sklearn yaml openpyxl sqlalchemy statsmodels matplotlib jinja2 '"
        "'pandas albumentations jsonargparse'.split():\n    sys.modules[name] = None\n"
        "from trichotrack.cli.app import main\nmain()"
    )
    for arguments in (["analyze", "a.png", "--um-per-px", "6", "--model", str(path)], ["check", str(path)]):
        shown = subprocess.run(
            [sys.executable, "-c", blocked, *arguments], capture_output=True, text=True, check=False, cwd=here
        )
        assert shown.returncode == 0, shown.stderr
        assert shown.stderr == "", "no progress bar where nobody watches"


def with_selftest(path: Path, **options: object) -> Path:
    image = scalp(200, 160, {"black_dot": [(50.0, 60.0), (150.0, 90.0)]})
    counter = Counter(build_tiny_model(path), threads=1)
    test = make_selftest(counter.spec, image, counter.detect(image))
    return build_tiny_model(path, metadata={SELFTEST_KEY: test}, **options)


def test_check_says_what_a_model_is_and_that_it_is_itself(here: Path) -> None:
    result = CliRunner().invoke(app, ["check", str(with_selftest(here / "m.onnx"))])
    assert result.exit_code == 0, result.output
    for said in ("6 µm per px", "drawn discs", "Not a medical device", "0.80 ± 0.05", "not measured", "passed"):
        assert said in result.output


def test_check_fails_with_status_3_where_the_model_is_not_itself(here: Path) -> None:
    path = with_selftest(here / "m.onnx", offset=(0.4, 0.0))
    result = CliRunner().invoke(app, ["check", str(path), "--json"])
    assert result.exit_code == 3
    content = json.loads(result.stdout)
    assert not content["passed"]
    assert "found 1.60 px away" in content["differences"][0]


def test_check_refuses_what_is_no_model(here: Path) -> None:
    (here / "m.onnx").write_text("text")
    result = CliRunner().invoke(app, ["check", "m.onnx"])
    assert result.exit_code == 2
    assert "is no model that can be opened" in result.output


@pytest.mark.skipif(not REAL.is_dir(), reason="hair-follicles-70x is not here")
def test_real_captures_are_read_with_areas_of_their_scale(here: Path, model: Path) -> None:
    files = [str(REAL / f"P00{i}_1.jpg") for i in (1, 2)]
    result = analyze(*files, "--um-per-px", 2.82, "--preparation", "clipped", "--out", "out", model=model)
    assert result.exit_code == 0, result.output
    areas = [float(row["area_cm2"]) for row in rows(here / "out/readings.csv")]
    np.testing.assert_allclose(areas, 0.1042, atol=1e-4)


def test_what_is_not_scalp_is_paled_in_the_overlay_and_said(here: Path) -> None:
    path = build_tiny_model(here / "m.onnx", tiny_spec(outputs=("peaks", "offset", "scalp")))
    pixels = scalp(400, 260, {"black_dot": [*DOTS, (370.0, 130.0)]}).copy()
    pixels[:, 320:] = np.where(pixels[:, 320:].max(axis=2, keepdims=True) > 100, NO_SCALP, pixels[:, 320:])
    Image.fromarray(pixels).save(here / "a.png")
    result = analyze("a.png", "--um-per-px", 6, "--out", "out", model=path)
    assert "20% of the picture" not in result.output
    row = rows(here / "out/readings.csv")[0]
    assert (row["count"], float(row["scalp_share"])) == ("3", pytest.approx(0.8, abs=0.02))
    shown = np.asarray(Image.open(here / "out/overlays/a.jpg"))
    assert shown[:250, 330:].min(axis=(0, 1)).mean() > 150
    assert shown[:250, :300].min() < 60


def test_a_picture_with_too_little_scalp_is_said_to_be_so(here: Path) -> None:
    path = build_tiny_model(here / "m.onnx", tiny_spec(outputs=("peaks", "offset", "scalp")))
    pixels = scalp(400, 260, {}).copy()
    pixels[:, 200:] = NO_SCALP
    Image.fromarray(pixels).save(here / "a.png")
    result = analyze("a.png", "--um-per-px", 6, "--out", "out", model=path)
    assert "a.png: 50% of the picture is not scalp" in result.output
