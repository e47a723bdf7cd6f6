"""Configuration of the service: from the command line, and settings that the admin may change while it runs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import platformdirs

from stream_sep.errors import ConfigError
from stream_sep.separators import DEFAULT_FOR_SONGS

if TYPE_CHECKING:
    from collections.abc import Mapping

SIGN_UP = ("closed", "invite", "open")
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})

MB = 1_000_000
_MAX = {"trash_days": 36_500, "share_days": 36_500}
_MAX_OTHER = 10**15


@dataclass(frozen=True)
class HashCosts:
    """The costs of argon2id.

    Attributes:
        memory_kib: KiB of memory.
        passes: over that memory.
        lanes: threads.
    """

    memory_kib: int = 65_536
    passes: int = 3
    lanes: int = 1


@dataclass(frozen=True)
class Limits:
    """What the admin may change while the service runs; `from_dict` reads what was stored.

    Attributes:
        sign_up: who may make an account: ``closed`` (nobody), ``invite`` (who has an invitation), ``open`` (anybody).
        max_upload_bytes: of one file.
        max_song_seconds: of one song.
        quota_bytes: of one account, sources and stems together.
        max_uploads: at once, of one account.
        max_waiting_jobs: of one account.
        trash_days: until a deleted song is gone.
        share_days: how long a share link lasts unless its owner chooses.
    """

    sign_up: Literal["closed", "invite", "open"] = "invite"
    max_upload_bytes: int = 200 * MB
    max_song_seconds: int = 20 * 60
    quota_bytes: int = 5_000 * MB
    max_uploads: int = 3
    max_waiting_jobs: int = 50
    trash_days: int = 7
    share_days: int = 30

    def __post_init__(self) -> None:
        """Validate all values."""
        if self.sign_up not in SIGN_UP:
            raise ConfigError(f"sign_up {self.sign_up!r} is none of {', '.join(SIGN_UP)}")
        for name, value in self.to_dict().items():
            max_value = _MAX.get(name, _MAX_OTHER)
            if name != "sign_up" and not (type(value) is int and 1 <= value <= max_value):
                raise ConfigError(f"{name} must be a whole number from 1 to {max_value}, not {value!r:.40}")

    def to_dict(self) -> dict[str, Any]:
        """Return all values by name."""
        return dataclasses.asdict(self)

    def changed(self, values: Mapping[str, Any]) -> Limits:
        """Return limits with some values changed.

        Raises:
            ConfigError: a name that does not exist, or an invalid value.

        >>> Limits().changed({"sign_up": "open"}).sign_up
        'open'
        """
        unknown = sorted(set(values) - set(self.to_dict()))
        if unknown:
            raise ConfigError(f"unknown setting {unknown[0]!r}; choose one of {', '.join(self.to_dict())}")
        return dataclasses.replace(self, **values)


@dataclass(frozen=True)
class ServiceConfig:
    """How a service is started.

    Attributes:
        data: the folder with everything in it.
        database: its URL; SQLite in ``data`` unless given.
        host: address to listen at.
        port: TCP port.
        public_hosts: further names that browsers use for this server.
        trusted_proxy: address whose forwarded headers count; none unless given.
        https: whether browsers reach it by HTTPS, through a proxy.
        model: the separator for songs whose owner does not choose.
        models: those that may be chosen; all that ship unless given.
        limits: the initial settings.
        costs: of password hashes.
        demo_song: whether the library of a new admin starts with the demo song.
        workers: worker processes, started by this one.
    """

    data: Path = field(default_factory=lambda: Path(platformdirs.user_data_dir("stream-sep")) / "serve")
    database: str = ""
    host: str = "127.0.0.1"
    port: int = 9191
    public_hosts: tuple[str, ...] = ()
    trusted_proxy: str = ""
    https: bool = False
    model: str = DEFAULT_FOR_SONGS
    models: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    costs: HashCosts = field(default_factory=HashCosts)
    demo_song: bool = False
    workers: int = 1

    @property
    def database_url(self) -> str:
        """The URL of the database, with the default filled in."""
        return self.database or f"sqlite:///{(self.data / 'serve.db').absolute()}"

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return self.host in LOOPBACK


def package_version() -> str:
    """Return the version of the installed package."""
    try:
        return metadata.version("stream-sep")
    except metadata.PackageNotFoundError:
        return "unknown"
