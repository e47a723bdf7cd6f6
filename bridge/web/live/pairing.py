"""Pairing of browsers with the live page: short-lived keys, and the devices that used one."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

import platformdirs

from stream_sep.errors import BridgeError
from stream_sep.lowlevel.atomic_file import atomic_write

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Role: TypeAlias = Literal["control", "view"]
"""The permissions of a browser: control everything, or only view."""

KEY_SECONDS = 600.0
"""How long a key is valid."""

DEVICE_SECONDS = 90 * 86400.0
"""How long a device stays paired."""

_MAX_DEVICES = 256
_MAX_NAME = 40


def devices_file() -> Path:
    """Return the file of the paired devices."""
    return platformdirs.user_config_path("stream_sep", appauthor=False) / "web_devices.json"


@dataclass(frozen=True)
class Device:
    """A paired browser.

    Attributes:
        id: short, for users to type.
        digest: SHA-256 of its token; the token itself is not stored.
        role: its permissions.
        name: the kind of browser.
        paired_at: Unix time.
    """

    id: str
    digest: str
    role: Role
    name: str
    paired_at: float


class Devices:
    """The paired devices, in one file that only its owner can read.

    Args:
        path: the file; `devices_file` unless given.
        clock: Unix time.
    """

    def __init__(self, path: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        self._path, self._clock = path or devices_file(), clock

    def all(self) -> tuple[Device, ...]:
        """Return the devices whose pairing is valid, the newest last.

        Raises:
            BridgeError: the file is open to others, or cannot be read.
        """
        try:
            mode = self._path.stat().st_mode
            text = self._path.read_text("utf-8")
        except FileNotFoundError:
            return ()
        except OSError as error:
            raise BridgeError(f"cannot read {self._path}: {error.strerror}") from error
        if os.name == "posix" and mode & 0o077:
            raise BridgeError(f"{self._path} can be read by others; run: chmod 600 {self._path}")
        try:
            known = [Device(**entry) for entry in json.loads(text)]
        except (ValueError, TypeError) as error:
            raise BridgeError(f"{self._path} is damaged; delete it and pair the devices again") from error
        oldest = self._clock() - DEVICE_SECONDS
        return tuple(device for device in known if device.paired_at > oldest)

    def add(self, role: Role, name: str) -> str:
        """Pair a device and return its token, which is not stored.

        Args:
            role: ``control`` or ``view``.
            name: the device's name.

        Raises:
            BridgeError: the file cannot be written.
        """
        token = secrets.token_urlsafe(32)
        device = Device(secrets.token_hex(3), _digest(token), role, name[:_MAX_NAME], self._clock())
        self._write((*self.all(), device)[-_MAX_DEVICES:])
        return token

    def find(self, token: str) -> Device | None:
        """Return the device with that token, if its pairing is valid."""
        digest = _digest(token)
        return next((one for one in self.all() if secrets.compare_digest(one.digest, digest)), None)

    def revoke(self, device_id: str) -> Device:
        """Remove a paired device.

        Raises:
            BridgeError: there is none with that id.
        """
        known = self.all()
        gone = next((device for device in known if device.id == device_id), None)
        if gone is None:
            there = ", ".join(device.id for device in known) or "none is paired"
            raise BridgeError(f"no device {device_id!r}; there are: {there}")
        self._write(tuple(device for device in known if device is not gone))
        return gone

    def _write(self, devices: tuple[Device, ...]) -> None:
        text = json.dumps([asdict(device) for device in devices], indent=1)
        try:
            atomic_write(self._path, text.encode(), mode=0o600)
        except OSError as error:
            raise BridgeError(f"cannot write {self._path}: {error.strerror}") from error


@dataclass(frozen=True)
class Key:
    """A key for pairing.

    Attributes:
        text: 22 characters, 128 random bits.
        role: permissions of its holder.
        expires: by the clock of its `Pairing`.
    """

    text: str
    role: Role
    expires: float


class Pairing:
    """The valid keys; each pairs any number of devices until it expires.

    Args:
        devices: the paired devices.
        read_only: give nobody more than the role ``view``.
        clock: seconds, for the expiry of keys.
    """

    def __init__(
        self, devices: Devices, *, read_only: bool = False, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._devices, self._read_only, self._clock = devices, read_only, clock
        self._keys: tuple[Key, ...] = ()

    def new_key(self, role: Role = "control") -> Key:
        """Return a new key; earlier ones stay valid until they expire."""
        key = Key(secrets.token_urlsafe(16), "view" if self._read_only else role, self._clock() + KEY_SECONDS)
        self._keys = (*self._valid(), key)
        return key

    def pair(self, text: str, name: str) -> tuple[str, Role] | None:
        """Pair a device by a key; return its token and role, or None if the key is wrong or expired.

        Args:
            text: the key.
            name: the device's name.

        Raises:
            BridgeError: the device cannot be stored.
        """
        key = next((key for key in self._valid() if secrets.compare_digest(key.text.encode(), text.encode())), None)
        return None if key is None else (self._devices.add(key.role, name), key.role)

    def device(self, token: str) -> Device | None:
        """Return the device with that token, with its role here."""
        device = self._devices.find(token)
        return replace(device, role="view") if device and self._read_only else device

    def _valid(self) -> tuple[Key, ...]:
        now = self._clock()
        return tuple(key for key in self._keys if key.expires > now)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def browser_name(user_agent: str) -> str:
    """Return the kind of browser in a ``User-Agent`` header, so that users can distinguish devices.

    >>> browser_name("Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) Safari/604.1")
    'Safari on iPhone'
    """
    systems = ("iPhone", "iPad", "Android", "CrOS", "Windows", "Macintosh", "Linux")
    browsers = ("Edg", "Firefox", "Chrome", "Safari")
    names = {"Macintosh": "Mac", "CrOS": "Chromebook", "Edg": "Edge"}
    system = next((name for name in systems if name in user_agent), "")
    browser = next((name for name in browsers if name in user_agent), "Browser")
    return names.get(browser, browser) + (f" on {names.get(system, system)}" if system else "")
