"""A rule as judgement holds it: the function, what it needs, and whose facts it is asked about.

A rule is one module of `daemon.core.rules`. Its name is the kind of case that it finds, its docstring is the
operator's documentation, and it declares:

    needs        the sources that must have been read for this subject
    needs_whole  those whose last pass must have been complete in every account, for what concerns several
    about        the kinds of subject it is asked about; a customer unless it says otherwise
    only_with    the facts without which it has nothing to say, so that it is not even asked; by their name in Facts
    parameters   what a policy may set for it, by name; nothing unless it says otherwise
    ending       what it means when the case no longer stands; agreement unless it says otherwise
    ending_of    the same, asked of the facts and the standing case, where it depends on them
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import ModuleType
from typing import Any

from daemon.core.model import DISAGREEMENTS, Facts, Found, Kind, Parameter, Policy, Source, Standing, Substate

Judge = Callable[[Facts, Policy, datetime], Iterator[Found]]
Ending = Callable[[Facts, Standing, datetime], Substate]

CUSTOMER = ("customer",)


@dataclass(frozen=True, slots=True)
class Rule:
    kind: Kind
    judge: Judge
    needs: frozenset[Source]
    needs_whole: frozenset[Source]
    about: tuple[str, ...]
    only_with: str | None
    parameters: Mapping[str, Parameter]
    ending: Substate
    ending_of: Ending | None
    documentation: str

    @property
    def settles(self) -> bool:
        """Whether its systems are given time to agree by themselves before a case opens."""
        return self.kind in DISAGREEMENTS

    @property
    def braked(self) -> bool:
        """Whether an outage of another system could make it open a flood of cases."""
        return self.settles and bool({Source.CRM, Source.ENTITLEMENTS} & (self.needs | self.needs_whole))

    def ended(self, facts: Facts, standing: Standing, now: datetime) -> Substate:
        return self.ending if self.ending_of is None else self.ending_of(facts, standing, now)


def rule_of(module: ModuleType) -> Rule:
    """The rule that a module declares."""
    declared: dict[str, Any] = vars(module)
    name = module.__name__.rpartition(".")[2]
    return Rule(
        kind=Kind(name),
        judge=declared[name],
        needs=frozenset(declared["needs"]),
        needs_whole=frozenset(declared.get("needs_whole", ())),
        about=tuple(declared.get("about", CUSTOMER)),
        only_with=declared.get("only_with"),
        parameters=declared.get("parameters", {}),
        ending=declared.get("ending", Substate.AGREEMENT_RETURNED),
        ending_of=declared.get("ending_of"),
        documentation=module.__doc__ or "",
    )
