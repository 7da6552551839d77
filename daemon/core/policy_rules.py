"""The switches of a policy: which rules there are, which parameters each knows, and what may stand for them."""

from collections.abc import Iterable, Mapping
from typing import Any, Final, NamedTuple

from daemon.core.canonical import Json
from daemon.core.model import Kind, Parameter, Switch
from daemon.core.policy_sections import amount_in
from daemon.core.rules import BY_KIND

NOT_A_RULE: Final = "no rule has this name"

# Without it proposals would wait for votes that nobody is asked for.
ALWAYS_ON: Final = frozenset({Kind.APPROVAL_REQUEST})


class Wrong(NamedTuple):
    where: str
    sentence: str
    names: Iterable[str] = ()  # one of these may have been meant


def switched(where: str, rules: Mapping[str, object]) -> tuple[dict[Kind, Switch], list[Wrong]]:
    """The switches that a table of rules sets, and what is wrong with it."""
    switches: dict[Kind, Switch] = {}
    wrong: list[Wrong] = []
    for name, value in rules.items():
        place = f"{where}.{name}"
        if name not in {kind.value for kind in Kind}:
            wrong.append(Wrong(place, NOT_A_RULE, [kind.value for kind in Kind]))
            continue
        kind = Kind(name)
        if isinstance(value, bool):
            if kind in ALWAYS_ON and not value:
                wrong.append(Wrong(place, "it cannot be switched off: proposals would wait unseen"))
            switches[kind] = Switch(on=value)
        elif isinstance(value, dict):
            wrong += _wrong_parameters(place, BY_KIND[kind].parameters, value)
            switches[kind] = Switch(parameters=value)
        else:
            wrong.append(Wrong(place, "a rule is true, false or a table of its parameters"))
    return switches, wrong


def _wrong_parameters(
    place: str, known: Mapping[str, Parameter], value: Mapping[str, Json]
) -> Iterable[Wrong]:
    for name, given in value.items():
        if name not in known:
            sentence = "the rule has no such parameter" if known else "the rule has no parameters"
            yield Wrong(f"{place}.{name}", sentence, known)
        elif not _fits(known[name], given):
            yield Wrong(f"{place}.{name}", f"it is to be {known[name].value}")


def _fits(parameter: Parameter, given: Any) -> bool:
    match parameter:
        case Parameter.WORD:
            return isinstance(given, str) and bool(given.strip())
        case Parameter.SWITCH:
            return isinstance(given, bool)
        case Parameter.AMOUNTS:
            texts = given if isinstance(given, list) else [given]
            return bool(texts) and all(isinstance(text, str) and _is_amount(text) for text in texts)
        case Parameter.METADATA:
            return isinstance(given, list) and all(isinstance(line, str) and _is_line(line) for line in given)


def _is_amount(text: str) -> bool:
    try:
        return amount_in(text).amount_minor >= 0
    except ValueError:
        return False


def _is_line(text: str) -> bool:
    key, separator, value = text.partition("=")
    return (
        bool(separator and value.strip())
        and key.strip().startswith("metadata.")
        and key.strip() != "metadata."
    )
