"""What the README and docs tell people to type works, and what they point to is there."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from typer.main import get_command
from typer.testing import CliRunner

import trichotrack
from trichotrack.cli.app import app
from trichotrack.labels.read import read_labels
from trichotrack.runtime.counter import BUNDLED
from trichotrack.stats.rates import change_needed

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")


def command_lines(page: Path) -> list[str]:
    """The lines of all fenced blocks without a language: what a person types."""
    blocks = [body for language, body in FENCE.findall(page.read_text(encoding="utf-8")) if not language]
    lines = [line for body in blocks for line in body.splitlines()]
    return [line for line in lines if line.startswith(("uv ", "pip ", "trichotrack "))]


COMMANDS = [pytest.param(line, id=f"{page.stem}: {line[:60]}") for page in PAGES for line in command_lines(page)]


def words_of(line: str) -> list[str]:
    """A command's words after `uv run`."""
    words = shlex.split(line)
    return words[2:] if words[:2] == ["uv", "run"] else words


def resolve(words: list[str]):
    """(command, its name, the words after it) of `trichotrack …`. Raises KeyError for a command that there is not."""
    node, name, rest = get_command(app), "trichotrack", words[1:]
    while hasattr(node, "commands") and rest and not rest[0].startswith("-"):
        if name == "cohort" and rest[0] not in node.commands:
            rest = ["who", *rest]  # what `cohort TABLE` stands for
        name, rest = rest[0], rest[1:]
        node = node.commands[name]
        node = node.load() if hasattr(node, "load") else node
    return node, name, rest


def test_the_two_commands_stand_as_one_line_each_and_below_on_lines_of_their_own():
    lines = command_lines(ROOT / "README.md")
    one_line = ["pip install uv && uv run trichotrack quickstart", "pip install uv && uv run pytest"]
    apart = ["pip install uv", "uv run trichotrack quickstart", "uv run pytest"]
    assert lines[: len(one_line) + len(apart)] == one_line + apart


@pytest.mark.parametrize("line", COMMANDS)
def test_a_documented_command_is_one_that_any_shell_takes(line):
    # Single quotes are letters to cmd.exe; a trailing backslash or a $variable is for one shell only.
    assert not re.search(r"['$\\|;<>]|^\s", line)


@pytest.mark.parametrize("line", COMMANDS)
def test_a_documented_command_is_parsed_as_it_stands(line):
    for part in line.split(" && "):
        parse(words_of(part))


def parse(words: list[str]) -> None:
    """Raises where the command line would be refused."""
    if words[0] == "trichotrack" and words[1:2] != ["train"]:
        command, name, rest = resolve(words)
        command.make_context(name, list(rest))
    elif words[0] == "export.py":
        assert (ROOT / "export.py").is_file()
        command, name, rest = resolve(["trichotrack", "export-model", *words[1:]])
        command.make_context(name, list(rest))
    elif words[0] == "train.py":
        parse_training(words[1:])
    elif words[:2] == ["pip", "install"] and words[2] != "uv":
        assert words[2].startswith(f"dist/trichotrack-{trichotrack.__version__}-py3-none-any.whl")
    elif words[0] == "uv":
        assert words[1] in {"build", "export"}
    elif words[0].endswith(".py"):
        # What the tutorial has people save is run in test_tutorial.
        assert (ROOT / words[0]).is_file() or words[0] == "to_yolo.py"
    else:
        assert words[0] in {"pytest", "ruff", "mypy", "lint-imports", "pip"}


PLAN = "my-labels/described/plan.yaml"
"""Made by `labels describe`, and taken in test_labels_describe."""


def parse_training(arguments: list[str]) -> None:
    from trichotrack.model.cli import main

    if PLAN in arguments:
        arguments = [one for at, one in enumerate(arguments) if PLAN not in arguments[at : at + 2]]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setattr("sys.argv", ["train.py"])
        # Lightning prints the whole recipe and stops, or says which setting it does not know.
        with pytest.raises(SystemExit) as stopped:
            main([*arguments, "--print_config"])
    assert not stopped.value.code


def test_settings_named_in_the_page_on_training_are_settings(capsys):
    page = (ROOT / "docs" / "training.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)
    parse_training(["fit", "--config", "configs/demo.yaml"])
    recipe = yaml.safe_load(capsys.readouterr().out)
    assert len(named) > 5
    for setting in named:
        part = recipe
        for key in setting.split("."):
            assert key in part, setting
            part = part[key]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_commands_named_in_the_text_exist(page):
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for span in INLINE.findall(text):
        words = span.removeprefix("uv run ").split()
        if words[0] == "trichotrack" and len(words) > 1:
            _, _, rest = resolve(words)
            assert not rest or rest[0].isupper() or not rest[0].isalpha(), span


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_links_lead_to_files_and_headings_that_are_there(page):
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if "://" in link:
            continue
        target, _, heading = link.partition("#")
        file = page.parent / target if target else page
        assert file.is_file(), link
        if heading:
            headings = re.findall(r"^#+ (.+)$", file.read_text(encoding="utf-8"), re.MULTILINE)
            # As GitHub makes them: without punctuation.
            assert heading in {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in headings}, link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_files_of_the_source_named_in_the_text_exist(page):
    for span in INLINE.findall(page.read_text(encoding="utf-8")):
        if re.match(r"(src|configs|tests|benchmarks|data|docs)/[\w./*-]+$", span):
            assert list(ROOT.glob(span)), span


def test_the_readme_says_what_the_tool_is_not():
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert "not a medical device. It does not diagnose and does not advise on treatment." in readme
    assert "not validated on patients" in readme


def test_the_table_of_detectable_changes_is_what_verdicts_use():
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\d+) \| (\w+) \| (\w+) \|$", text, re.MULTILINE)
    assert len(rows) == 7
    for baseline, fall, rise in rows:
        needed = change_needed(float(baseline), 0.5, cv=0.15, level=0.05)
        assert tuple(None if cell == "none" else int(cell) for cell in (fall, rise)) == needed


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A folder with what the README's commands expect in a clone, and stand-ins for what a person brings."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "data", folder / "data")
    shutil.copy(BUNDLED, folder / "my-model.onnx")
    labelled = read_labels(folder / "data" / "demo" / "labelled")
    files = [row.file for row in labelled.captures]
    content = {
        "images": [{"id": i, "file_name": Path(file).name} for i, file in enumerate(files)],
        "categories": [{"id": 1, "name": "black_dot"}],
        "annotations": [
            {"id": i, "image_id": files.index(item.file), "category_id": 1, "bbox": [item.x - 5, item.y - 5, 10, 10]}
            for i, item in enumerate(labelled.objects)
            if item.sign == "black_dot" and item.file in files
        ],
    }
    (folder / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    (folder / "images").mkdir()
    for file in files:
        shutil.copy(labelled.folder / file, folder / "images")
    return folder


def test_the_commands_of_the_readme_run_in_its_order(clone, monkeypatch):
    monkeypatch.chdir(clone)
    lines = [line for line in command_lines(ROOT / "README.md") if line.startswith("uv run trichotrack")]
    lines.remove("uv run trichotrack quickstart")  # takes minutes; .ci/run runs it with --smoke
    assert len(lines) >= 14
    for line in lines:
        result = CliRunner().invoke(app, words_of(line)[1:])
        assert result.exit_code == 0, f"{line}\n{result.output}"
    for made in ("readings/readings.csv", "evaluation/evaluation.json", "my-labels/captures.csv", "report.html"):
        assert (clone / made).stat().st_size > 200, made


def test_the_readmes_python_runs(clone, monkeypatch):
    monkeypatch.chdir(clone)
    shutil.copy(clone / "images" / "S001_1.jpg", clone / "capture.jpg")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (snippet,) = [body for language, body in FENCE.findall(readme) if language == "python"]
    scope: dict[str, object] = {}
    # The demonstration's own scale: the snippet's 2.82 is that of another device.
    exec(snippet.replace("2.82", "5.8"), scope)  # noqa: S102
    assert scope["reading"].signs["black_dot"].density_per_cm2 is not None
