"""The options that stand before the command: where the configuration is, and with it the settings and the store."""

import logging
from dataclasses import dataclass
from pathlib import Path

from daemon import logs
from daemon.settings import Settings, load
from daemon.store.db import Store, open_store


@dataclass(frozen=True, slots=True)
class Options:
    config: Path
    log_format: logs.Format

    def settings(self) -> Settings:
        return load(self.config)

    def database(self) -> str:
        return self.settings().daemon.database.reveal()

    def store(self, *, writing: bool = False) -> Store:
        """The store; a command that writes creates a missing one and applies pending migrations."""
        return open_store(self.database(), upgrade=writing)


def taken(config: Path, log_format: logs.Format) -> Options:
    """For every command alike. Its own lines say what it did, and its logs only what is wrong; a daemon says more."""
    logs.configure(log_format, level=logging.WARNING)
    return Options(config, log_format)
