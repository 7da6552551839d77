"""What a planted world is known to hold: the cases that should stand, and the near misses that should not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Planted:
    kind: str  # a case kind of the queue
    account: str  # the Stripe account, acct_…
    subject: str  # the id that one case is about: customer, subscription, charge, dispute, invoice, record …
    expected: bool  # False: a near miss, for which no case of this kind may stand
    story: str  # which story planted it
    ids: tuple[str, ...] = ()  # whatever else belongs to it
