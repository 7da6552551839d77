"""What `policy shadow` and `policy backtest` found, as tables, sentences and JSON."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from rich.table import Table

from daemon.core.model import Due, Kind
from daemon.core.rules import RULES
from daemon.store.cases import case_id
from daemon.trial import shadow as shadows
from daemon.trial.backtest import Backtest, Span
from daemon.trial.ground import Trial
from daemon.trial.shadow import Effect, Shadow

DIGITS = 12  # of a version that a person compares


def shadow_cases(found: Shadow) -> Table:
    shown = Table("would", "when", "severity", "account", "case", "amount", box=None)
    for each in found.differences:
        said, case = each.found, each.standing
        title = f"{each.kind}: {said.title}" if said else f"{each.kind}: {case_id(each.fingerprint)}"
        differs = f" (differs: {', '.join(each.differs)})" if each.differs else ""
        severity = said.severity if said else case.severity if case else ""
        if each.before is not None and said is not None and each.before.severity != said.severity:
            severity = f"{each.before.severity} → {said.severity}"
        amount = str(said.amount) if said and said.amount else ""
        shown.add_row(each.effect, each.when, severity, each.account, title + differs, amount)
    return shown


def shadow_rules(found: Shadow) -> Table:
    """A row for each rule that has a case by either policy, or could not be judged for somebody."""
    shown = Table("rule", box=None)
    for name in ("in force", "with the file", "opens", "resolves", "changes", "not judged"):
        shown.add_column(name, justify="right")
    for row in _rules_of_shadow(found):
        shown.add_row(row["rule"], *(str(value) for name, value in row.items() if name != "rule"))
    return shown


def shadow_sentences(trial: Trial, found: Shadow) -> Iterator[str]:
    counts = {effect: sum(each.effect is effect for each in found.differences) for effect in Effect}
    yield (
        f"{found.subjects} subjects judged by {trial.tried.version[:DIGITS]} beside {trial.in_force.version[:DIGITS]}, "
        f"which is in force: {counts[Effect.OPEN]} would open, {counts[Effect.RESOLVE]} resolve, "
        f"{counts[Effect.CHANGE]} change."
    )
    if found.not_judged:
        yield "“Not judged” are subjects of whom a source that the rule needs is unread; their cases stay as they are."
    yield from trial.notes()


def shadow_document(trial: Trial, found: Shadow) -> dict[str, Any]:
    return {
        **_about(trial),
        "at": _text(found.at),
        "subjects": found.subjects,
        "rules": list(_rules_of_shadow(found)),
        "cases": [_shadowed(each) for each in found.differences],
        "notes": list(trial.notes()),
    }


def backtest_cases(found: Backtest) -> Table:
    shown = Table("account", "case", "in force", "with the file", box=None)
    for each in found.differences:
        known = each.known_since
        shown.add_row(
            each.account,
            f"{each.kind}: {each.title}",
            _times(each.in_force, known),
            _times(each.tried, known),
        )
    return shown


def backtest_rules(found: Backtest) -> Table:
    shown = Table("rule", box=None)
    for name in (
        "stood",
        "beyond",
        "in force",
        "with the file",
        "only in force",
        "only the file",
        "otherwise",
    ):
        shown.add_column(name, justify="right")
    for row in _rules_of_backtest(found):
        shown.add_row(row["rule"], *(str(row[key]) for key in row if key not in ("rule", "off")))
    return shown


def backtest_sentences(trial: Trial, found: Backtest) -> Iterator[str]:
    yield (
        f"{found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC, {trial.tried.version[:DIGITS]} beside "
        f"{trial.in_force.version[:DIGITS]}, which is in force: {len(found.differences)} cases would differ."
    )
    yield (
        f"Of {found.subjects} subjects {found.known_share:.0%} of this time could be judged again: what lies after the "
        "last change of theirs, and after the account was first read completely."
    )
    if found.beyond.total():
        yield (
            "“Stood” are the cases of the journal; “beyond” are those of them that cannot be judged again: what they "
            "were about has changed since, concerns several subjects, or was decided by people."
        )
    if found.off.total():
        yield f"Of those beyond, {found.off.total()} would not have stood: the file switches their rule off."
    yield from trial.notes()


def backtest_document(trial: Trial, found: Backtest) -> dict[str, Any]:
    return {
        **_about(trial),
        "since": _text(found.since),
        "until": _text(found.until),
        "subjects": found.subjects,
        "known_share": round(found.known_share, 4),
        "rules": list(_rules_of_backtest(found)),
        "cases": [
            {
                "account": each.account,
                "kind": each.kind,
                "id": case_id(each.fingerprint),
                "subject": {"kind": each.subject.kind, "id": each.subject.id},
                "title": each.title,
                "known_since": _text(each.known_since),
                "in_force": [_span(span) for span in each.in_force],
                "tried": [_span(span) for span in each.tried],
            }
            for each in found.differences
        ],
        "notes": list(trial.notes()),
    }


def _about(trial: Trial) -> dict[str, Any]:
    return {
        "policy": trial.name,
        "in_force": trial.in_force.version,
        "tried": trial.tried.version,
        "accounts": list(trial.accounts),
    }


def _shadowed(each: shadows.Difference) -> dict[str, Any]:
    said, case = each.found, each.standing
    amount = said.amount if said else None
    subject = said.subject if said else None
    severity = said.severity if said else case.severity if case else None
    return {
        "effect": each.effect,
        "when": each.when,
        "account": each.account,
        "kind": each.kind,
        "id": case_id(each.fingerprint),
        "subject": {"kind": subject.kind, "id": subject.id} if subject else None,
        "title": said.title if said else None,
        "severity": severity,
        "severity_before": each.before.severity if each.before else None,
        "due_at": _due(said.due_at) if said else None,
        "amount": amount.amount_minor if amount else None,
        "currency": amount.currency if amount else None,
        "differs": list(each.differs),
    }


def _rules_of_shadow(found: Shadow) -> Iterator[dict[str, Any]]:
    for kind in _kinds():
        row = {
            "rule": kind.value,
            "in_force": found.stands["in_force"][kind],
            "tried": found.stands["tried"][kind],
            **{effect.value: found.count(kind, effect) for effect in Effect},
            "not_judged": found.not_judged[kind],
        }
        if any(value for name, value in row.items() if name != "rule"):
            yield row


def _rules_of_backtest(found: Backtest) -> Iterator[dict[str, Any]]:
    for kind in _kinds():
        of_kind = [each for each in found.differences if each.kind is kind]
        only_in_force = sum(not each.tried for each in of_kind)
        only_tried = sum(not each.in_force for each in of_kind)
        row = {
            "rule": kind.value,
            "stood": found.recorded[kind],
            "beyond": found.beyond[kind],
            "in_force": found.in_force[kind],
            "tried": found.tried[kind],
            "only_in_force": only_in_force,
            "only_tried": only_tried,
            "otherwise": len(of_kind) - only_in_force - only_tried,
            "off": found.off[kind],
        }
        if any(value for name, value in row.items() if name != "rule"):
            yield row


def _kinds() -> list[Kind]:
    return [rule.kind for rule in RULES]


def _times(spans: tuple[Span, ...], known_since: datetime) -> str:
    """When a case would have stood, and how urgent; “…”: from before what is known."""
    if not spans:
        return "not"
    words = []
    for each in spans:
        since = "…" if each.since == known_since else f"{each.since:%m-%d %H:%M}"
        until = "now" if each.until is None else f"{each.until:%m-%d %H:%M}"
        words.append(f"{since} – {until} {each.severity}")
    return "; ".join(words)


def _span(span: Span) -> dict[str, Any]:
    return {"since": _text(span.since), "until": _text(span.until), "severity": span.severity}


def _due(due_at: datetime | Due | None) -> str | None:
    return due_at.value if isinstance(due_at, Due) else _text(due_at)


def _text(at: datetime | None) -> str | None:
    return at.isoformat().replace("+00:00", "Z") if at is not None else None
