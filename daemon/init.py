"""`reconciled init`: a commented configuration, a policy, and the key that encrypts personal detail."""

import base64
import os
import secrets
from importlib import resources
from pathlib import Path

from accounts.errors import Explained

KEY_BYTES = 32  # AES-256


class Exists(Explained):
    """Something is already there, and init never overwrites."""


def write_examples(configuration: Path) -> list[Path]:
    """Writes what is missing beside this path; raises Exists and writes nothing where a file would be lost."""
    folder = configuration.absolute().parent
    policy, key = folder / "policy.toml", folder / "reconciled.key"
    taken = [str(path) for path in (configuration, policy) if path.exists()]
    if taken:
        raise Exists(
            f"{' and '.join(taken)} already there, and init overwrites nothing; move it away or edit it"
        )
    folder.mkdir(parents=True, exist_ok=True)
    examples = resources.files("daemon.examples")
    _create(configuration, (examples / "reconciled.toml").read_bytes(), mode=0o644)
    _create(policy, (examples / "policy.toml").read_bytes(), mode=0o644)
    if key.exists():  # made for an earlier database: replacing it would lose what it encrypted
        return [configuration, policy]
    _create(key, base64.urlsafe_b64encode(secrets.token_bytes(KEY_BYTES)) + b"\n", mode=0o600)
    return [configuration, policy, key]


def _create(path: Path, content: bytes, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, so that nobody else's file is opened
        file.write(content)
