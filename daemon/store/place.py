"""Where the database is: one address, understood once, and a name for sentences that never holds its password."""

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from daemon.store.errors import Unsuitable

WANTED = 'the database is "sqlite:///file.db" or "postgresql://user@host/name"'


@dataclass(frozen=True, slots=True)
class Place:
    """An address of a database. Its text is what a sentence about it begins with."""

    url: URL
    path: Path | None  # of the file, on SQLite

    def __str__(self) -> str:
        if self.path is not None:
            return f"The database {self.path}"
        return f"The database {self.shown().set(query={})}"

    def file(self) -> tuple[int, int] | None:
        """Which file lies there now; None where there is none."""
        try:
            found = self.path.stat() if self.path is not None else None
        except FileNotFoundError:
            return None
        return (found.st_dev, found.st_ino) if found is not None else None

    def shown(self) -> URL:
        """The address without its password: for sentences, and for the arguments of other programs."""
        url = self.url
        return URL.create("postgresql", url.username, None, url.host, url.port, url.database, url.query)


def place_of(url: str) -> Place:
    """Raises Unsuitable for an address that is neither SQLite in a file nor PostgreSQL."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):
        raise Unsuitable(f"The address of the database is not readable; {WANTED}.") from None
    match parsed.drivername:
        case "sqlite":
            if parsed.database in {None, "", ":memory:"} or parsed.query:
                raise Unsuitable(f"The database is a file, since what is in memory is lost; {WANTED}.")
            return Place(parsed, Path(str(parsed.database)).absolute())
        case "postgresql" | "postgres" | "postgresql+psycopg":
            return Place(parsed.set(drivername="postgresql+psycopg"), None)
        case other:
            raise Unsuitable(f"“{other[:40]}” is no database that we work on; {WANTED}.")
