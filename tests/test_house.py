"""What holds for the repository as a whole."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import trichotrack
from tiny_model import build_tiny_model
from trichotrack.cli.app import COMMANDS

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "src").rglob("*.py"))
RECIPES = sorted((ROOT / "configs").glob("*.yaml"))
DATA_LIMIT_BYTES = 12_000_000

HEAVY = (
    "torch", "lightning", "torchvision", "timm", "albumentations", "onnx", "cv2", "sqlalchemy", "alembic", "matplotlib",
    "statsmodels", "scipy", "sklearn", "skimage", "pandas", "openpyxl", "yaml", "jinja2",
    "typst", "fontTools", "lifelines", "firthmodels", "pyarrow", "pg8000",
)  # fmt: skip
"""What counting signs does without: none of it is among the core dependencies."""


def tracked() -> list[Path]:
    """Files that git keeps, and those about to be added."""
    command = ["git", "-C", str(ROOT), "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def texts() -> list[tuple[Path, str]]:
    """Tracked files that are text."""
    found = []
    for path in tracked():
        data = path.read_bytes()
        if b"\0" not in data[:8192]:
            found.append((path, data.decode("utf-8", errors="replace")))
    return found


def test_source_raises_errors_and_never_asserts():
    # `python -O` drops asserts, and their message names neither the place nor the remedy.
    asserting = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Assert)
    ]
    assert not asserting


def test_no_file_names_a_package_registry():
    # Where packages come from is the business of whoever installs. Written so as not to match itself.
    names = ["pypi" + ".org", "python" + "hosted.org", "npmjs" + ".org", "debian" + ".org", "download.pytorch" + ".org"]
    found = [f"{path.relative_to(ROOT)}: {name}" for path, text in texts() for name in names if name in text]
    assert not found


def test_no_file_names_a_place_on_one_machine():
    places = [re.escape(str(place)) for place in (Path.home(), ROOT) if len(place.parts) > 1]
    pattern = re.compile(rf"(?<![\w.-])({'|'.join(places)}|/home/\w|/Users/\w|[A-Z]:\\Users)")
    found = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path, text in texts()
        if path != Path(__file__).resolve()
        for match in pattern.finditer(text)
    ]
    assert not found


def test_the_data_stay_small():
    size = sum(path.stat().st_size for path in tracked() if path.is_relative_to(ROOT / "data"))
    assert 0 < size <= DATA_LIMIT_BYTES


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.name)
def test_a_recipe_is_yaml_under_a_header_that_says_what_it_is(recipe):
    text = recipe.read_text(encoding="utf-8")
    assert text.startswith("# ")
    assert isinstance(yaml.safe_load(text), dict)


def loaded_after(code: str) -> list[str]:
    """The HEAVY modules that a fresh Python has loaded after code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps([m for m in {HEAVY!r} if m in sys.modules]))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, cwd=ROOT)
    assert not done.returncode, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_importing_trichotrack_loads_not_even_numpy():
    code = "import trichotrack, sys\nif 'numpy' in sys.modules: raise SystemExit('numpy was loaded')"
    assert loaded_after(code) == []


RUN = """
from typer.testing import CliRunner
from trichotrack.cli.app import app
for arguments in {lines!r}:
    result = CliRunner().invoke(app, arguments)
    if result.exit_code:
        raise SystemExit(f"{{arguments}}: {{result.output}}")
"""
"""Runs command lines, one after the other."""


def test_help_loads_nothing_heavy():
    groups = [name for name in COMMANDS if name != "train"]  # Lightning itself tells what train takes
    lines = [["--help"], ["--version"], *([name, "--help"] for name in groups)]
    assert loaded_after(RUN.format(lines=lines)) == []


def test_analyze_loads_nothing_heavy(tmp_path):
    capture = ROOT / "data" / "demo" / "patient" / "2026-01-12" / "vertex_1_1.jpg"
    model = build_tiny_model(tmp_path / "tiny.onnx")
    line = ["analyze", str(capture), "--um-per-px", "5.8", "--model", str(model), "--out", str(tmp_path / "out")]
    assert loaded_after(RUN.format(lines=[line])) == []
    assert (tmp_path / "out" / "readings" / "vertex_1_1.json").is_file()


def test_hooks_are_the_quick_checks_of_ci_and_none_is_downloaded():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    assert [repository["repo"] for repository in hooks] == ["local"]
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    steps = [line.removeprefix("step ") for line in ci if line.startswith("step uv run")]
    entries = [hook["entry"] for hook in hooks[0]["hooks"]]
    assert entries == steps[: len(entries)]


def test_ci_runs_the_readmes_checks_as_they_stand():
    readme = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    ci = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    checks = [line for line in readme if re.match(r"uv run (ruff|lint-imports|mypy|pytest)", line)]
    assert len(set(checks)) == 5
    assert not [line for line in checks if f"step {line}\n" not in ci]
    (export,) = [line for line in readme if line.startswith("uv export")]
    assert set(re.findall(r"--no-\w[\w-]*", export)) == set(re.findall(r"--no-\w[\w-]*", ci))


def test_the_lock_has_versions_only():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    assert not [line for line in lines if not re.match(r"[a-z0-9._-]+==[0-9][\w.+!]*( ; .+)?$", line)]
    locked = {re.split("==", line)[0] for line in lines}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"]["optional-dependencies"].values()
    asked = [text for group in (project["project"]["dependencies"], *extras) for text in group]
    names = {re.split(r"[\[<>=~! ]", text)[0].lower() for text in asked} - {"trichotrack"}
    assert names <= locked


def test_the_changelog_knows_the_version():
    assert trichotrack.__version__ in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == trichotrack.__version__
