"""The command line as a whole: every command is there, light to ask for help, and ends errors in a sentence."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import trichotrack
from trichotrack.cli import app as app_module
from trichotrack.cli.app import COMMANDS, EXTRA_OF, Source, app
from trichotrack.problems import InputError, Problem


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from trichotrack.cli.app import main; main()", *arguments],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        env={**os.environ, "NO_COLOR": "1", "PYTHONUTF8": "1", "COLUMNS": "120", **environment},
    )


OFFERED = tuple(app_module._Commands(name="trichotrack").commands)


@pytest.mark.parametrize("name", [name for name in OFFERED if name != "train"])
def test_every_command_shows_help_with_an_example(name: str) -> None:
    shown = CliRunner().invoke(app, [name, "--help"])
    assert shown.exit_code == 0, shown.output
    command = app_module._Deferred(name, COMMANDS[name]).load()
    parts = [command, *getattr(command, "commands", {}).values()]
    assert any(f"trichotrack {name}" in (part.help or "") for part in parts), f"{name} gives no example"


def test_help_lists_every_command_and_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom trichotrack.cli.app import main\ntry:\n    main()\nexcept SystemExit:\n    pass\n"
        "heavy = {'numpy', 'scipy', 'onnxruntime', 'torch', 'sqlalchemy', 'matplotlib', 'PIL'} & set(sys.modules)\n"
        "print('HEAVY', sorted(heavy))"
    )
    shown = subprocess.run([sys.executable, "-c", code, "--help"], capture_output=True, text=True, check=True)
    assert "HEAVY []" in shown.stdout
    for name in OFFERED:
        assert f" {name} " in shown.stdout


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = "import sys, trichotrack; print(sorted({'numpy', 'onnxruntime', 'PIL', 'scipy'} & set(sys.modules)))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_counter_needs_only_what_a_clinic_installs() -> None:
    code = (
        "import sys, trichotrack; trichotrack.Counter\n"
        "heavy = {'torch', 'scipy', 'sqlalchemy', 'matplotlib', 'cv2', 'sklearn', 'onnx', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "[]"


def test_version_says_what_trichotrack_is_not() -> None:
    from importlib.metadata import version

    shown = CliRunner().invoke(app, ["--version"])
    assert shown.exit_code == 0
    assert shown.output.startswith(f"trichotrack {trichotrack.__version__}\n")
    assert "Not a medical device" in shown.output
    assert trichotrack.__version__ == version("trichotrack")


def test_a_misspelt_command_is_answered_with_the_right_one() -> None:
    shown = CliRunner().invoke(app, ["analyse", "x"])
    assert shown.exit_code == 2
    assert "analyze" in shown.output


def raising(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> object:
    """The result of running a command that raises error."""

    def command() -> None:
        raise error

    monkeypatch.setattr(sys.modules["trichotrack.cli.check"], "check", command)
    return CliRunner().invoke(app, ["check"])


@pytest.fixture(autouse=True)
def _check_module_loaded() -> None:
    import trichotrack.cli.check  # noqa: F401


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (InputError("the dose is blue."), 2, "the dose is blue."),
        (InputError([Problem("a.csv", "one"), Problem("b.csv", "two")]), 2, "a.csv: one.\nb.csv: two."),
        (KeyboardInterrupt(), 130, "Stopped."),
        (PermissionError(13, "Permission denied", "out/readings.csv"), 2, "out/readings.csv: Permission denied."),
        (ModuleNotFoundError("no", name="sqlalchemy.orm"), 2, 'pip install "WHEEL[record]"'),
        (ModuleNotFoundError("no", name="torch"), 2, 'pip install "WHEEL[train]"'),
        (typer.Exit(3), 3, ""),
    ],
)
def test_an_error_ends_in_a_sentence_and_its_exit_status(
    error: BaseException, status: int, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = raising(error, monkeypatch)
    assert result.exit_code == status
    assert said in result.output
    assert "Traceback" not in result.output


def test_extras_named_in_messages_exist() -> None:
    import tomllib

    pyproject = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    extras = pyproject["project"]["optional-dependencies"]
    names = {"sklearn": "scikit-learn", "skimage": "scikit-image", "cv2": "opencv-python-headless", "yaml": "pyyaml"}
    for package, extra in EXTRA_OF.items():
        assert any(names.get(package, package) in line for line in extras[extra]), (package, extra)


def test_a_fault_of_ours_is_one_line_and_its_traceback_is_there_for_the_asking() -> None:
    code = (
        "import trichotrack.cli.check as c\ndef check(): raise KeyError('lost')\nc.check = check\n"
        "from trichotrack.cli.app import main; main()"
    )
    for variable, traceback in ({}, False), ({"TRICHOTRACK_TRACEBACK": "1"}, True):
        environment = {**os.environ, **variable}
        shown = subprocess.run(
            [sys.executable, "-c", code, "check"], capture_output=True, text=True, check=False, env=environment
        )
        assert shown.returncode == 1
        assert "lost" in shown.stderr
        assert ("Traceback" in shown.stderr) == traceback


def test_a_closed_pipe_is_no_error_message() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", "from trichotrack.cli.app import main; main()", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.close()
    said = process.stderr.read().decode()
    process.stderr.close()
    process.wait(timeout=30)
    assert "Traceback" not in said


def test_a_console_without_our_letters_still_gets_output() -> None:
    shown = run("analyze", "--help", PYTHONUTF8="0", PYTHONIOENCODING="cp437")
    assert shown.returncode == 0
    assert "Traceback" not in shown.stderr


def test_a_source_that_is_not_installed_is_not_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "absent", Source("absent:absent", "Not there."))
    assert "absent" not in app_module._Commands(name="x").commands
