"""Who is signed in at which daemon: one file for each, which only its owner may read."""

import json
import os
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import quote, unquote

from accounts.secret import Secret
from daemon.cli.terminal import Failed


@dataclass(frozen=True, slots=True)
class Login:
    address: str
    user: str
    role: str
    token: Secret


def folder() -> Path:
    """Under the user's state directory, as XDG names it."""
    base = os.environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "reconciled" / "logins"


def save(login: Login) -> Path:
    """Replaces whatever login there was; raises Failed where it cannot be written."""
    path = _path(login.address)
    text = json.dumps(asdict(login) | {"token": login.token.reveal()})
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # mkstemp makes it 0600 from the start, and a reader sees the old file or the new one.
        descriptor, name = tempfile.mkstemp(dir=path.parent)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except OSError as error:
        raise Failed(f"The login cannot be kept in {path.parent}: {error.strerror}.") from None
    return path


def load(address: str) -> Login | None:
    """Raises Failed for a file that cannot be used."""
    path = _path(address)
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return Login(found["address"], found["user"], found["role"], Secret(found["token"]))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise Failed(
            f"{path} cannot be used. Remove it and sign in again: `reconciled login LINK`."
        ) from None


def addresses() -> list[str]:
    """Where there is a login for."""
    return sorted(unquote(path.stem) for path in folder().glob("*.json")) if folder().is_dir() else []


def _path(address: str) -> Path:
    return folder() / f"{quote(address, safe='')}.json"
