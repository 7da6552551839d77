"""Reads a policy from its text: whole, or not at all with every problem at once.

A policy's version is the hash of its text, so the same text is the same version wherever it lies, and nothing
about it changes unnoticed. What may stand in it is declared in `daemon.core.policy_sections`.
"""

import hashlib
import tomllib
import typing
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic import ValidationError

from accounts.errors import Explained
from daemon.core import policy_sections as sections
from daemon.core.drafts import wording
from daemon.core.model import (
    ApproveLine,
    AutoLine,
    Deadlines,
    Escalation,
    Limits,
    Policy,
    Rates,
    Template,
    Tolerance,
)
from daemon.core.policy_rules import NOT_A_RULE, switched
from daemon.core.problem import Problem, nearest

TEXT_CHARS_MAX: Final = 1024 * 1024  # wording for every message in every language takes a tenth of it


class UnusablePolicy(Explained, ValueError):
    """The policy cannot be used."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__("the policy cannot be used: " + "; ".join(map(str, problems)))


def version_of(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_policy(text: str) -> Policy:
    """The policy in this text; raises UnusablePolicy."""
    raw = _parsed(text)
    problems = list(_loose_ends(raw))
    try:
        written = sections.Written.model_validate(raw)
    except ValidationError as error:
        raise UnusablePolicy((*_sentences(error), *problems)) from None
    if problems:
        raise UnusablePolicy(tuple(problems))
    return _policy(written, version_of(text))


def _policy(written: sections.Written, version: str) -> Policy:
    revenue = written.tolerance.revenue
    rules, _ = switched("rules", written.rules)
    limits = written.limits
    return Policy(
        version=version,
        grace_past_due=written.grace.past_due,
        revenue=Tolerance(revenue.absolute, revenue.relative),
        deadlines=Deadlines(
            tuple(sorted(written.deadlines.windows, reverse=True)), written.deadlines.business_days
        ),
        rules=rules,
        of_accounts={slug: switched("", account.rules)[0] for slug, account in written.accounts.items()},
        escalate=tuple(
            Escalation(name, line.mrr_over, line.renewal_within) for name, line in written.escalate.items()
        ),
        approve=tuple(
            ApproveLine(line.action, line.approvers, line.over, line.account, line.roles)
            for line in written.approve
        ),
        auto=tuple(AutoLine(line.action, line.account, line.each, line.day) for line in written.auto),
        limits=Limits(
            limits.person_daily,
            limits.account_daily,
            *(() if limits.agent_open_proposals is None else (limits.agent_open_proposals,)),
        ),
        money=Rates(written.money.report, written.money.rates),
        templates={name: Template(each.subject, each.body) for name, each in written.templates.items()},
    )


def _parsed(text: str) -> dict[str, Any]:
    if len(text) > TEXT_CHARS_MAX:
        raise UnusablePolicy((Problem("", "it is larger than a megabyte; that is not a policy"),))
    try:
        # Rates and shares are decimals from their text on: a float would not be the number that was written.
        return tomllib.loads(text, parse_float=Decimal)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise UnusablePolicy((Problem("", f"it is not TOML: {error or 'nested too deeply'}"),)) from None
    except ValueError:
        raise UnusablePolicy((Problem("", "it is not TOML: a number in it is out of range"),)) from None


def _loose_ends(raw: Mapping[str, Any]) -> Iterator[Problem]:
    """What the shape alone does not tell: names of rules, their parameters, the fields of templates."""
    yield from _of_rules("rules", raw.get("rules"))
    for slug, account in _tables(raw.get("accounts")):
        yield from _of_rules(f"accounts.{slug}.rules", account.get("rules"))
    for name, template in _tables(raw.get("templates")):
        subject, body = template.get("subject"), template.get("body")
        if isinstance(subject, str) and isinstance(body, str):
            for sentence in wording.problems(Template(subject, body)):
                yield Problem(f"templates.{name}", sentence)
        if name.startswith(wording.OURS) and name not in wording.BUILT_IN:
            yield Problem(f"templates.{name}", f"no message has this name{nearest(name, wording.BUILT_IN)}")


def _of_rules(where: str, rules: object) -> Iterator[Problem]:
    if not isinstance(rules, dict):
        return
    for place, sentence, names in switched(where, rules)[1]:
        meant = nearest(place.rpartition(".")[2], names) if names else ""
        if sentence == NOT_A_RULE and not meant:
            meant = "; `reconciled policy show` lists them"
        yield Problem(place, sentence + meant)


def _tables(value: object) -> Iterator[tuple[str, dict[str, Any]]]:
    if isinstance(value, dict):
        yield from ((name, table) for name, table in value.items() if isinstance(table, dict))


def _sentences(error: ValidationError) -> Iterator[Problem]:
    for problem in error.errors(include_url=False, include_input=False):
        location = problem["loc"]
        where = ".".join(str(part)[:80] for part in location)
        match problem["type"]:
            case "extra_forbidden":
                known = _known_names(location[:-1])
                yield Problem(where, f"this key is unknown{nearest(str(location[-1]), known)}")
            case "missing":
                yield Problem(where, "this key is missing")
            case "value_error":
                yield Problem(where, str(problem["ctx"]["error"]))
            case _:
                yield Problem(where, problem["msg"][0].lower() + problem["msg"][1:])


def _known_names(location: tuple[int | str, ...]) -> list[str]:
    """The keys that the section at this place knows. Parts that name no field are positions or chosen names."""
    section: type[sections.Section] = sections.Written
    for part in location:
        field = section.model_fields.get(str(part))
        inner = _section_in(field.annotation) if field is not None else None
        section = inner or section
    return list(section.model_fields)


def _section_in(annotation: Any) -> type[sections.Section] | None:
    if isinstance(annotation, type) and issubclass(annotation, sections.Section):
        return annotation
    found = (_section_in(argument) for argument in typing.get_args(annotation))
    return next((each for each in found if each is not None), None)
