"""A customer's record in the CRM, read live."""

from accounts.crm import Crm
from accounts.facts import Record
from daemon.actions.shape import BadDetails, Hands


def crm_of(hands: Hands) -> Crm:
    if hands.crm is None:
        raise BadDetails("This account has no CRM; name one as `crm` in its configuration.")
    return hands.crm


def the_record(hands: Hands, key: str) -> Record:
    """Raises BadDetails where the CRM has none of this key."""
    found = still_recorded(hands, key)
    if found is None:
        raise BadDetails("key: the CRM has no such record.")
    return found


def still_recorded(hands: Hands, key: str) -> Record | None:
    crm, account = crm_of(hands), hands.reader.stripe_account
    if crm.reads_one:
        return crm.record(key, account)
    rows = (row for page in crm.pages(account, afresh=True, kept=False) for row in page.rows)
    return next((row for row in rows if row.key == key), None)
