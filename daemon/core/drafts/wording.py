"""Approved wording: templates with named fields, and nothing else that a template language could do.

A field is written `{{ amount }}`, as Jinja writes it, so that a policy's templates read as usual; but there are no
attributes, filters, calls or blocks to refuse one by one, because there are none at all. Fields that only the sender
may know (a name, the link to pay) stay open in a draft and are filled when it is sent.
"""

import re
from collections.abc import Mapping
from typing import Final, NamedTuple

from daemon.core.model import Policy, Template

FIELDS: Final = {
    "amount": "what is owed, with its currency",
    "invoice": "the invoice's id",
    "plan": "what the subscription is for",
    "next_step": "whether and when we try again",
    "name": "the customer's name",
    "link": "where the invoice can be paid",
    "owner": "who looks after the customer",
}
OURS: Final = (
    "payment_failed"  # how our messages begin: who writes another by this name has mistyped one of ours
)
FILLED_BY_SENDER: Final = frozenset(
    {"name", "link"}
)  # personal, or opens by itself: never stored with a case

_FIELD: Final = re.compile(r"\{\{\s*([a-z_]+)\s*\}\}")
_FOREIGN: Final = re.compile(r"\{\{|\}\}|\{%|%\}|\{#|#\}")


class Message(NamedTuple):
    template: str  # the name of the template that it was made of
    subject: str
    body: str


def problems(template: Template) -> tuple[str, ...]:
    """What is wrong with a policy's template, as sentences; none if it can be used."""
    found = []
    for part, text in (("subject", template.subject), ("body", template.body)):
        unknown = sorted({name for name in _FIELD.findall(text) if name not in FIELDS})
        found += [f"the {part} names the field “{each}”; known are {', '.join(FIELDS)}" for each in unknown]
        if _FOREIGN.search(_FIELD.sub("", text)):
            found.append(
                f"the {part} holds more than fields: write them as {{{{ amount }}}}, and nothing else in braces"
            )
    return tuple(found)


def render(text: str, fields: Mapping[str, str]) -> str:
    """Fills in what is known. A value is put in as it is and never read as a template itself."""
    return _FIELD.sub(lambda found: fields.get(found[1], found[0]), text)


def open_fields(text: str) -> frozenset[str]:
    """The fields of a text that nobody has filled in yet."""
    return frozenset(_FIELD.findall(text))


def write(policy: Policy, name: str, channel: str, fields: Mapping[str, str]) -> Message:
    """The policy's own wording for the channel, else its wording for all channels, else ours."""
    of_channel = f"{name}_{channel}"
    for template in (of_channel, name):
        if template in policy.templates:
            return _filled(template, policy.templates[template], fields)
    own = of_channel if of_channel in BUILT_IN else name
    return _filled(own, BUILT_IN[own], fields)


def _filled(name: str, template: Template, fields: Mapping[str, str]) -> Message:
    return Message(name, render(template.subject, fields), render(template.body, fields))


BUILT_IN: Final[Mapping[str, Template]] = {
    "payment_failed_temporary": Template(
        "Your payment of {{ amount }} did not go through",
        "Hello {{ name }},\n\nwe could not collect {{ amount }} for {{ plan }} (invoice {{ invoice }}). This is "
        "often temporary. {{ next_step }}\n\nYou can also pay now or choose another payment method: {{ link }}\n",
    ),
    "payment_failed_temporary_chat": Template(
        "Payment of {{ amount }}",
        "Hello {{ name }}, your payment of {{ amount }} for {{ plan }} did not go through. {{ next_step }} "
        "You can also pay here: {{ link }}",
    ),
    "payment_failed_payment_method": Template(
        "Please update your payment method",
        "Hello {{ name }},\n\nwe could not collect {{ amount }} for {{ plan }} (invoice {{ invoice }}) with the "
        "payment method that we have. Please add another one here: {{ link }}\n\nYour "
        "invoice is then paid right away.\n",
    ),
    "payment_failed_payment_method_chat": Template(
        "Payment method",
        "Hello {{ name }}, we need another payment method for {{ plan }} ({{ amount }} is open). "
        "You can add one here: {{ link }}",
    ),
    "payment_failed_authentication": Template(
        "Please confirm your payment of {{ amount }}",
        "Hello {{ name }},\n\nyour bank wants you to confirm the payment of {{ amount }} for {{ plan }} (invoice "
        "{{ invoice }}). Please do so here: {{ link }}\n\nUntil then nothing is charged.\n",
    ),
    "payment_failed_authentication_chat": Template(
        "Confirm your payment",
        "Hello {{ name }}, your bank wants you to confirm {{ amount }} for {{ plan }}. You can do so here: {{ link }}",
    ),
    "payment_failed_unknown": Template(
        "Your payment of {{ amount }} did not go through",
        "Hello {{ name }},\n\nyour bank declined the payment of {{ amount }} for {{ plan }} (invoice {{ invoice }}). "
        "It can tell you more, or you can choose another payment method here: {{ link }}\n\n{{ next_step }}\n",
    ),
    "payment_failed_unknown_chat": Template(
        "Payment of {{ amount }}",
        "Hello {{ name }}, your bank declined {{ amount }} for {{ plan }}. You can choose another payment method "
        "here: {{ link }}",
    ),
    # Says that a payment is open and nothing about why: for reasons that the customer is not told.
    "payment_failed_quiet": Template(
        "Your payment of {{ amount }} is open",
        "Hello {{ name }},\n\nthe payment of {{ amount }} for {{ plan }} (invoice {{ invoice }}) is open. Please use "
        "another payment method: {{ link }}\n",
    ),
    "payment_failed_quiet_chat": Template(
        "Payment of {{ amount }}",
        "Hello {{ name }}, {{ amount }} for {{ plan }} is open. Please use another payment method: {{ link }}",
    ),
    "payment_failed_csm": Template(
        "Payment of {{ amount }} is open ({{ invoice }})",
        "{{ owner }}: a payment of {{ amount }} for {{ plan }} failed (invoice {{ invoice }}). Please speak with the "
        "customer. {{ next_step }}",
    ),
}  # fmt: skip
