"""What all builders share: the form of an object, of a list inside one, and the parts that many have."""

from typing import Any

Object = dict[str, Any]

API_VERSION = "2026-10-28.endive"


def completed(base: Object, changes: Object) -> Object:
    """The object with some fields set otherwise; a field that it does not have is a mistake of ours."""
    if not changes.keys() <= base.keys():
        raise TypeError(f"{base['object']} has no {', '.join(sorted(changes.keys() - base.keys()))}")
    base.update(changes)
    return base


def listed(url: str, data: list[Object]) -> Object:
    """A list inside another object."""
    return {"object": "list", "data": data, "has_more": False, "url": url}


def no_address() -> Object:
    return {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}


def no_automatic_tax() -> Object:
    return {"disabled_reason": None, "enabled": False, "liability": None}
