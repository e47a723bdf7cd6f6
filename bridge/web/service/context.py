"""The state that all routes of one service share: configuration, database, hashes, throttles."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bridge.web.service.database import Database
from bridge.web.service.files import DataFolder
from bridge.web.service.passwords import Passwords
from bridge.web.service.tables import Setting
from bridge.web.service.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.orm import Session

    from bridge.web.service.config import Limits, ServiceConfig

_LIMITS = "limits"


@dataclass(frozen=True)
class Service:
    """One service; `open_service` makes it.

    Attributes:
        config: how it was started.
        database: accounts, songs and jobs.
        data: the folder of audio files.
        passwords: hashes and verifies passwords.
        throttle: counts attempts by address.
        clock: the seconds since 1970.
    """

    config: ServiceConfig
    database: Database
    data: DataFolder
    passwords: Passwords
    throttle: Throttle
    clock: Callable[[], float] = time.time

    def limits(self, session: Session) -> Limits:
        """Return the current limits."""
        stored = session.get(Setting, _LIMITS)
        return self.config.limits.changed(stored.value) if stored else self.config.limits

    def change_limits(self, session: Session, values: dict[str, object]) -> Limits:
        """Store changed limits and return them.

        Args:
            session: the database session.
            values: values by name.

        Raises:
            ConfigError: a name that does not exist, or an invalid value.
        """
        limits = self.limits(session).changed(values)
        session.merge(Setting(key=_LIMITS, value=limits.to_dict()))
        return limits

    def close(self) -> None:
        """Close the database."""
        self.database.close()


def open_service(config: ServiceConfig, clock: Callable[[], float] = time.time) -> Service:
    """Create the data folder and the tables if they are missing, and return the service.

    Args:
        config: settings of the server.
        clock: returns the current time.

    Raises:
        DatabaseError: the database cannot be reached.
        ConfigError: its URL is invalid, or the folder cannot be closed to other users.
    """
    data = DataFolder(config.data)
    data.create()
    database = Database(config.database_url)
    database.migrate()
    return Service(config, database, data, Passwords(config.costs), Throttle(clock), clock)
