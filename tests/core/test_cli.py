"""The `octaudit` command itself: exit codes, one-sentence errors, help, and what importing it must not load."""

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

import core.cli
from core.errors import OctauditError, SomeFailedError, UsageError


def run(error: Exception | None, *arguments: str, monkeypatch: pytest.MonkeyPatch) -> Result:
    """Run `octaudit fail`, a command that raises ``error``."""

    @click.command()
    def fail() -> None:
        if error is not None:
            raise error

    monkeypatch.setitem(core.cli.main.commands, "fail", fail)
    return CliRunner().invoke(core.cli.main, [*arguments, "fail"])


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OCTAUDIT_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("error", "code"),
    [
        pytest.param(None, 0, id="done"),
        pytest.param(OctauditError("It broke."), 1, id="our fault"),
        pytest.param(UsageError("No such study."), 2, id="wrong usage"),
        pytest.param(SomeFailedError("2 of 3 files failed."), 3, id="some failed"),
        pytest.param(ValueError("boom"), 1, id="unexpected"),
        pytest.param(click.UsageError("No such option."), 2, id="click usage"),
    ],
)
def test_each_outcome_has_its_exit_code(error: Exception | None, code: int, monkeypatch: pytest.MonkeyPatch):
    assert run(error, monkeypatch=monkeypatch).exit_code == code


def test_an_error_is_one_sentence_and_its_remedy_on_stderr(monkeypatch: pytest.MonkeyPatch):
    result = run(UsageError("There is no study X.", remedy="Name one of: A, B."), monkeypatch=monkeypatch)
    assert result.stderr == "octaudit: There is no study X. Name one of: A, B.\n"
    assert result.stdout == ""


def test_an_unexpected_error_names_the_log_that_holds_its_traceback(home: Path, monkeypatch: pytest.MonkeyPatch):
    result = run(ValueError("boom"), monkeypatch=monkeypatch)
    log = home / "logs" / "octaudit.log"
    assert str(log) in result.stderr
    assert "Traceback" not in result.stderr
    assert "Traceback" in log.read_text(encoding="utf-8")


def test_debug_shows_the_traceback(monkeypatch: pytest.MonkeyPatch):
    assert "Traceback" in run(ValueError("boom"), "--debug", monkeypatch=monkeypatch).stderr


def test_an_unwritable_home_still_gives_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OCTAUDIT_HOME", "/dev/null/nowhere")
    result = run(ValueError("boom"), monkeypatch=monkeypatch)
    assert result.exit_code == 1
    assert "--debug" in result.stderr


def test_a_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OCTAUDIT_DASHBOARD_PORT", "many")
    with pytest.raises(OctauditError, match="OCTAUDIT_DASHBOARD_PORT"):
        core.cli.load_settings()


def test_the_version_is_printed():
    assert CliRunner().invoke(core.cli.main, ["--version"]).output.startswith("octaudit, version ")


def test_an_unknown_command_is_wrong_usage():
    result = CliRunner().invoke(core.cli.main, ["no-such-command"])
    assert result.exit_code == 2
    assert "No such command" in result.stderr


HEAVY = (
    "torch",
    "streamlit",
    "timm",
    "segmentation_models_pytorch",
    "celery",
    "sqlalchemy",
    "pandas",
    "scipy",
    "numpy",
)


def test_importing_the_command_line_loads_nothing_heavy():
    script = f"import core.cli, sys; sys.exit(' '.join(m for m in {HEAVY!r} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_help_of_everything_loads_no_torch_and_no_streamlit():
    script = "import sys; sys.modules['torch'] = None; sys.modules['streamlit'] = None; from core.cli import main; main(['--help'])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "Commands:" in done.stdout
