"""What is written for people agrees with what there is."""

import re
import subprocess
import typing
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from accounts.configuration import Section
from daemon.cli.program import COMMANDS, Command, whole
from daemon.core.policy import read_policy
from daemon.examples import __file__ as examples
from daemon.settings import Settings, load
from metrics.catalog import REGISTRY

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()
EXAMPLE = Path(examples).with_name("reconciled.toml").read_text()


@cache
def commands() -> dict[str, str]:
    """Every command's words and its help."""
    return {words: text for each in COMMANDS for words, text in _described(each.name, whole(each.name))}


def _described(words: str, command: Any) -> Iterator[tuple[str, str]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield words, command.help or ""
        return
    for name, each in inner.items():
        yield from _described(f"{words} {name}", each)


MAKE = re.findall(r"(?:^|\$ |`)make ([a-z]+)", README + (ROOT / ".ci/run").read_text(), re.MULTILINE)


@pytest.mark.parametrize("target", sorted(set(MAKE)))
def test_make_knows_every_target_that_is_written_down(target: str) -> None:
    subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True)  # noqa: S607


@pytest.mark.parametrize(
    "words", sorted(set(re.findall(r"reconciled ((?:[a-z]+ ?){1,2})(?=`|\s|$)", README)))
)
def test_the_readmes_commands_exist(words: str) -> None:
    one, *_ = words.split()
    assert words.strip() in commands() or one in commands(), words


def test_every_command_says_what_it_does() -> None:
    assert not [words for words, text in commands().items() if not text.strip()]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_list_of_commands_says_of_each_what_it_says_itself(command: Command) -> None:
    assert whole(command.name).help.replace("\n", " ").startswith(command.sentence.rstrip("."))


def every_setting(section: type[Section], path: str = "") -> Iterator[tuple[str, str]]:
    for name, field in section.model_fields.items():
        yield path, field.alias or name
        for inner in sections(field.annotation):
            yield from every_setting(inner, field.alias or name)


def sections(annotation: object) -> Iterator[type[Section]]:
    if isinstance(annotation, type) and issubclass(annotation, Section):
        yield annotation
    for argument in typing.get_args(annotation):
        yield from sections(argument)


# Declared, but for those who need them to look up where they are declared.
ADVANCED = {"stripe_api", "format", "command", "routes", "user", "smtps"}


@pytest.mark.parametrize(
    "name",
    sorted(
        {
            name
            for path, name in every_setting(Settings)
            if path in {"", "daemon", "defaults", "accounts", "platforms", "approvals"}
        }
        - ADVANCED
    ),
)
def test_the_file_that_init_writes_explains_every_setting(name: str) -> None:
    assert re.search(rf"^(# )?(\[+)?{name}\b", EXAMPLE, re.MULTILINE) or re.search(
        rf"[\[.]{name}[\].]", EXAMPLE
    )


def test_the_file_that_init_writes_is_usable(tmp_path: Path) -> None:
    (tmp_path / "reconciled.toml").write_text(EXAMPLE)
    assert load(tmp_path / "reconciled.toml") == load(tmp_path / "reconciled.toml")
    read_policy(Path(examples).with_name("policy.toml").read_text())


def test_the_file_that_init_writes_is_usable_when_every_comment_is_taken(tmp_path: Path) -> None:
    lines = [re.sub(r"^# ?(?=[\[a-z_]+[\w.\]\[]* *(=|\]|$|\[))", "", line) for line in EXAMPLE.splitlines()]
    (tmp_path / "reconciled.toml").write_text("\n".join(lines))
    settings = load(tmp_path / "reconciled.toml")
    assert settings.accounts[0].id == "acme-eu"
    assert settings.auth.oidc
    assert settings.crm["hubspot"]


def test_the_policy_that_init_writes_is_usable_when_every_comment_is_taken() -> None:
    text = Path(examples).with_name("policy.toml").read_text()
    taken = re.sub(r"^# ?(?=\[|[a-z_]+ *=)", "", text, flags=re.MULTILINE)
    assert read_policy(taken).version != read_policy(text).version


def test_every_metric_has_our_prefix_and_says_what_it_means() -> None:
    for family in REGISTRY.collect():
        assert family.name.startswith(("reconciled_", "process_"))  # the second are the client’s own
        assert family.documentation.endswith(".")
