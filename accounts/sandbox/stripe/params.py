"""Parameters as Stripe's libraries send them: bracketed names in a query or a form, read by kind, all of them known.

An endpoint takes what it knows and then calls `finish`, which refuses the rest. Nothing is done before that.
"""

import re
from collections.abc import Iterable
from typing import Any

from accounts.sandbox.stripe.refusals import invalid, parameter_invalid, parameter_missing, parameter_unknown

Tree = dict[str, Any]

METADATA_KEYS_MAX = 50
METADATA_KEY_LENGTH_MAX = 40
METADATA_VALUE_LENGTH_MAX = 500
TEXT_LENGTH_MAX = 5_000

_BRACKETS = re.compile(r"\[([^\[\]]*)\]")


def tree_of(pairs: Iterable[tuple[str, str]]) -> Tree:
    """`a[b]=1`, `c[]=2` and `d[0][e]=3` as nested dicts; list positions become keys in their order."""
    tree: Tree = {}
    for name, value in pairs:
        head, bracket, _ = name.partition("[")
        if not bracket:
            tree[name] = value
            continue
        path = [head, *_BRACKETS.findall(name)]
        node = tree
        for step in path[:-1]:
            below = node.setdefault(step, {})
            if not isinstance(below, dict):
                raise invalid(f"Invalid parameter nesting: {name}", name)
            node = below
        node[path[-1] or str(len(node))] = value
    return tree


class Params:
    def __init__(self, tree: Tree, prefix: str = "") -> None:
        self._left = dict(tree)
        self._prefix = prefix

    def name(self, name: str) -> str:
        return f"{self._prefix}[{name}]" if self._prefix else name

    def __contains__(self, name: str) -> bool:
        return name in self._left

    def nested(self, name: str) -> bool:
        return isinstance(self._left.get(name), dict)

    def text(self, name: str, *, one_of: Iterable[str] = (), length_max: int = TEXT_LENGTH_MAX) -> str | None:
        """None when absent; the empty text, by which Stripe unsets a value, stays empty."""
        value = self._left.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, str):
            raise parameter_invalid(self.name(name), f"Invalid string: {value}")
        if len(value) > length_max:
            raise parameter_invalid(
                self.name(name),
                f"Invalid string: must be at most {length_max} characters",
                "parameter_invalid_string_too_long",
            )
        choices = tuple(one_of)
        if choices and value not in choices:
            raise parameter_invalid(self.name(name), f"Invalid {name}: must be one of {', '.join(choices)}")
        return value

    def required(self, name: str) -> str:
        value = self.text(name)
        if not value:
            raise parameter_missing(self.name(name))
        return value

    def integer(self, name: str, *, least: int | None = None, most: int | None = None) -> int | None:
        text = self.text(name)
        if text is None or text == "":
            return None
        if not re.fullmatch(r"-?\d{1,18}", text):
            raise parameter_invalid(self.name(name), f"Invalid integer: {text}", "parameter_invalid_integer")
        value = int(text)
        if least is not None and value < least:
            raise parameter_invalid(
                self.name(name),
                f"This value must be greater than or equal to {least}.",
                "parameter_invalid_integer",
            )
        if most is not None and value > most:
            raise parameter_invalid(
                self.name(name),
                f"This value must be less than or equal to {most} (it currently is '{value}').",
                "parameter_invalid_integer",
            )
        return value

    def flag(self, name: str) -> bool | None:
        text = self.text(name)
        if text is None or text == "":
            return None
        if text not in ("true", "false"):
            raise parameter_invalid(self.name(name), f"Invalid boolean: {text}")
        return text == "true"

    def texts(self, name: str, *, most: int = 100) -> list[str]:
        value = self._left.pop(name, None)
        if value is None or value == "":
            return []
        values = list(value.values()) if isinstance(value, dict) else [value]
        if not all(isinstance(each, str) for each in values):
            raise parameter_invalid(self.name(name), "Invalid array")
        if len(values) > most:
            raise parameter_invalid(self.name(name), f"You may only specify up to {most} of these.")
        return values

    def inside(self, name: str) -> "Params | None":
        """A hash; None when absent or unset by the empty text."""
        value = self._left.pop(name, None)
        if value is None or value == "":
            return None
        if not isinstance(value, dict):
            raise parameter_invalid(self.name(name), "Invalid object")
        return Params(value, self.name(name))

    def tree(self, name: str) -> Tree:
        """A hash as it came, for what is kept and not looked into."""
        value = self._left.pop(name, None)
        return value if isinstance(value, dict) else {}

    def each(self, name: str) -> list["Params"]:
        """An array of hashes."""
        inside = self.inside(name)
        if inside is None:
            return []
        return [each for position in tuple(inside._left) if (each := inside.inside(position)) is not None]

    def metadata(self, known: dict[str, str]) -> dict[str, str]:
        """What the object's metadata will be: names are merged, an empty value removes one, `""` removes all."""
        if self._left.get("metadata") == "":
            del self._left["metadata"]
            return {}
        given = self._left.pop("metadata", {})
        if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
            raise parameter_invalid(self.name("metadata"), "Metadata must be an object of strings")
        for name, value in given.items():
            if len(name) > METADATA_KEY_LENGTH_MAX or len(value) > METADATA_VALUE_LENGTH_MAX:
                raise parameter_invalid(
                    f"metadata[{name}]",
                    f"Metadata names may have {METADATA_KEY_LENGTH_MAX} and values "
                    f"{METADATA_VALUE_LENGTH_MAX} characters.",
                )
        merged = {name: value for name, value in (known | given).items() if value != ""}
        if len(merged) > METADATA_KEYS_MAX:
            raise parameter_invalid("metadata", f"Metadata may have {METADATA_KEYS_MAX} names.")
        return merged

    def ignore(self, *names: str) -> None:
        """Parameters that Stripe knows and that change nothing here."""
        for name in names:
            self._left.pop(name, None)

    def finish(self) -> None:
        for name in self._left:
            raise parameter_unknown(self.name(name))
