"""People for tests: added, and signed in as they would be."""

from daemon.core.approval.principal import OWNER, Principal
from daemon.desk.authority import Authority
from daemon.desk.governing import Governing
from daemon.desk.keyring import Keyring
from daemon.store import journal
from daemon.store.db import Store


def signed_in(
    store: Store, governing: Governing, keyring: Keyring, name: str, role: str = "admin"
) -> Principal:
    """Somebody who was added by the owner, confirmed by nobody, and came at once."""
    code = governing.add_person(OWNER, name, role).code
    return redeemed(store, keyring, code)


def redeemed(store: Store, keyring: Keyring, code: str) -> Principal:
    made = keyring.sign_in(code)
    assert made.person is not None
    return Authority(store, lambda: made.token.added_at).principal(made.secret)


def kinds(store: Store) -> list[str]:
    """What the journal has, the oldest first."""
    with store.reading() as session:
        return [entry.kind for entry in reversed(journal.entries(session, limit=1_000))]
