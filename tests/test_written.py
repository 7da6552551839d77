"""Every command that a README or a runbook shows is one that the program takes, with these very arguments."""

import re
from pathlib import Path
from typing import Final

import pytest

from daemon.core.model import Kind, Severity
from tests.written import misused, written

ROOT: Final = Path(__file__).parent.parent
PAGES: Final = [
    *sorted(ROOT.glob("*.md")),
    *sorted((ROOT / "grafana").glob("*.md")),
    *sorted((ROOT / "grafana/runbooks").glob("*.md")),
]
# What a page says for a value of these, because the program itself takes any.
CLOSED: Final = {"--kind": {each.value for each in Kind}, "--severity": {each.value for each in Severity}}
LINES: Final = sorted({(page.name, line, mentioned) for page in PAGES for line, mentioned in written(page)})


def test_there_are_commands_to_be_looked_at() -> None:
    assert len(LINES) > 80
    assert ("README.md", 'users add dana --role approver --limit "500 EUR"', False) in LINES


@pytest.mark.parametrize(("page", "line", "mentioned"), LINES)
def test_the_program_takes_it(page: str, line: str, mentioned: bool) -> None:
    assert misused(line, mentioned=mentioned) is None


@pytest.mark.parametrize("line", sorted({line for _, line, _ in LINES if line.startswith("cases list")}))
def test_a_list_of_cases_asks_for_kinds_that_there_are(line: str) -> None:
    for option, known in CLOSED.items():
        assert set(re.findall(rf"{option} (\S+)", line)) <= known


@pytest.mark.parametrize(
    ("line", "because"),
    [
        ("caess list", "There is no command caess."),
        ("cases lsit", "cases has no command lsit."),
        ("cases list --sort age", "'age' is not one of"),
        ("cases list --colour", "No such option: --colour"),
        ("cases dismiss CASE", "Missing option '--reason'"),
        ("replay --dead", "Missing option '--account'"),
        ("replay", "Missing option '--account'"),
        ("cases", "cases is a group of commands."),
        ("actions of", "'of' is not one of"),
    ],
)
def test_what_the_program_does_not_take_is_seen(line: str, because: str) -> None:
    assert because in (misused(line) or "")
