"""What can go wrong between us and our own database.

StoreError
├── Unavailable          it does not answer, or cannot be opened; what to look at is in the sentence
├── Locked               somebody else holds what we need, for longer than we wait; try again
├── AlreadyRunning       another daemon works on this database file
├── Unsuitable           it answers, but promises too little: version, durability, or not a database of ours
│   ├── NotOurs          it holds other tables, or is no database at all; nothing was changed
│   ├── SchemaOlder      migrations are pending
│   └── SchemaNewer      a newer program migrated it, and no longer serves this one
├── Conflict             a constraint refused a row
├── LostTake             what was taken from the worklist is no longer ours; roll everything back
├── Renamed              what is stored under an account's name is another account's
├── Unsealable           personal detail cannot be opened: another secret_key, or altered
└── BackupFailed         no backup was made

A message is a sentence that names the database without its password, and says what to do.
"""

from accounts.errors import Explained


class StoreError(Explained):
    """The database refused."""


class Unavailable(StoreError):
    """The database does not answer."""


class Locked(StoreError):
    """Somebody else holds what we need."""


class AlreadyRunning(StoreError):
    """Another daemon works on this database."""


class Unsuitable(StoreError):
    """The database promises too little."""


class NotOurs(Unsuitable):
    """The database is not one of ours."""


class SchemaOlder(Unsuitable):
    """The database's schema is older than this program. Run `reconciled db upgrade`."""


class SchemaNewer(Unsuitable):
    """The database's schema is newer than this program. Install the newer program."""


class Conflict(StoreError):
    """A constraint refused a row."""


class LostTake(StoreError):
    """What was taken from the worklist is no longer ours."""


class Renamed(StoreError):
    """What is stored under an account's name is another account's."""


class Unsealable(StoreError):
    """Personal detail cannot be opened."""


class BackupFailed(StoreError):
    """No backup was made."""
