"""The house rules that no linter knows."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
OURS = [*sorted((ROOT / "accounts").rglob("*.py")), *sorted((ROOT / "daemon").rglob("*.py"))]
OURS += sorted((ROOT / "metrics").rglob("*.py"))
EVERYTHING = OURS + sorted((ROOT / "tests").rglob("*.py"))
LINES_MAX = 450

named = pytest.mark.parametrize("path", EVERYTHING, ids=lambda path: str(path.relative_to(ROOT)))
ours = pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(ROOT)))


def tracked() -> Iterator[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return (ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file())


@named
def test_a_module_says_in_its_first_sentence_what_it_is_for(path: Path) -> None:
    documentation = ast.get_docstring(ast.parse(path.read_text()))
    assert documentation, "no docstring"
    assert documentation.split("\n\n")[0].rstrip()[-1] in ".?!:", "the first paragraph is no sentence"


@ours
def test_a_module_has_one_subject(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= LINES_MAX


@named
def test_nothing_is_left_unfinished(path: Path) -> None:
    marks = "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK", "NotImplemented" + "Error"])
    assert not re.findall(rf"(?<!\")\b({marks})\b", path.read_text())  # a quoted one is somebody else's word


@ours
def test_a_folder_is_not_called_by_a_word_that_says_nothing(path: Path) -> None:
    assert not {"utils", "util", "helpers", "helper", "manager", "common", "misc"} & {
        path.stem,
        path.parent.name,
    }


@pytest.mark.parametrize("path", [p for p in OURS if "core" in p.parts], ids=str)
def test_the_core_reads_no_clock(path: Path) -> None:
    assert not re.search(r"\.(now|utcnow|today|time|monotonic)\(", path.read_text())


# Whoever has no Prometheus or Node may go on without what needs them; in CI a skipped test is a failure.
MAY_SKIP = ROOT / "tests" / "grafana" / "tools.py"


@pytest.mark.parametrize(
    "path", sorted({*(ROOT / "tests").rglob("*.py")} - {MAY_SKIP}), ids=lambda path: path.name
)
def test_tests_neither_sleep_nor_skip(path: Path) -> None:
    forbidden = (
        r"time\.sl"
        r"eep\(|mark\.(sk"
        r"ip|xf"
        r"ail)|pytest\.(sk"
        r"ip|xf"
        r"ail)\(|import"
        "orskip"
    )
    assert not re.search(forbidden, path.read_text())


def test_no_file_names_a_registry_or_a_path_of_a_machine() -> None:
    registries = "|".join(["py" + "pi", "python" + "hosted", "npm" + "js", r"deb\.deb" + "ian"])
    pattern = re.compile(
        rf"https?://[a-z0-9.-]*({registries})[a-z0-9.-]*|(?<![\w.])/(work|home|root|Users)/[a-z]"
    )
    for path in tracked():
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        assert not pattern.search(text), path
