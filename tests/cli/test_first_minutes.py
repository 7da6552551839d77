"""The commands as somebody at a terminal meets them: one sentence, an exit code, no traceback."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from daemon import cli
from daemon.cli import terminal

COMMAND = Path(sys.executable).parent / "reconciled"


def test_init_writes_what_it_says_and_overwrites_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    configuration = str(tmp_path / "here" / "reconciled.toml")
    assert cli.run(["--config", configuration, "init"]) == 0
    key = tmp_path / "here" / "reconciled.key"
    assert {path.name for path in key.parent.iterdir()} == {
        "reconciled.toml",
        "policy.toml",
        "reconciled.key",
    }
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    before = key.read_text()

    (tmp_path / "here" / "policy.toml").unlink()
    assert cli.run(["--config", configuration, "init"]) == terminal.PROBLEMS
    assert "overwrites nothing" in capsys.readouterr().err
    assert not (tmp_path / "here" / "policy.toml").exists(), "refused as a whole"

    Path(configuration).unlink()
    assert cli.run(["--config", configuration, "init"]) == 0
    assert key.read_text() == before, "an older key may still open an older database"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (["nonsense"], 2, "No such command"),
        (["init", "--nonsense"], 2, "No such option"),
        (["actions", "offf"], 2, "Invalid value for 'state': 'offf' is not one of 'on', 'off'."),
        (["--log-format", "yaml", "init"], 2, "log-format"),
        (["--config", "missing.toml", "check"], 2, "there is no such file; `reconciled init` writes one"),
        (["--config", "/proc/self/mem", "check"], 2, "cannot be read"),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_an_exit_code(
    arguments: list[str], code: int, sentence: str
) -> None:
    result = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, check=False, timeout=180)
    assert result.returncode == code
    assert sentence in result.stderr
    assert "Traceback" not in result.stderr + result.stdout


def test_a_fault_of_ours_is_a_sentence_and_its_traceback_goes_to_a_file_without_secrets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(path: Path) -> list[Path]:
        raise ZeroDivisionError(f"rk_live_planted00000 beside {path}")

    monkeypatch.setattr("daemon.init.write_examples", broken)
    monkeypatch.setattr("typer.get_app_dir", lambda name: str(tmp_path / name))
    assert cli.run(["init"]) == terminal.PROBLEMS
    crash = tmp_path / "reconciled" / "crash.log"
    assert str(crash) in capsys.readouterr().err
    written = crash.read_text()
    assert "ZeroDivisionError" in written
    assert "planted" not in written
