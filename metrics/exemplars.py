"""Which event or request a count was about: ids of Stripe's for whoever scrapes OpenMetrics, nothing of a customer.

A count goes from “forty are late” to one that can be looked up, in the dashboard and in Stripe's log of requests.
"""

import re
from typing import Final

Exemplar = dict[str, str]

# The client refuses more than 128 characters of names and values together, and refusing would be raised where we count.
_ID: Final = re.compile(r"[A-Za-z0-9_]{1,100}")


def exemplar(name: str, id: str | None) -> Exemplar | None:
    """None for what is no id: it came from outside, and is not repeated."""
    return {name: id} if id is not None and _ID.fullmatch(id) else None
