"""Passwords and other secrets: argon2id for passwords, SHA-256 for random secrets.

Costs exceed OWASP's minimum (m=19,456 KiB, t=2, p=1); rules are those of NIST SP 800-63B-4 for a
password that is the only factor: long, any characters, no common one.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import unicodedata
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError

from bridge.web.problems import Problem
from bridge.web.service.slots import Slots

if TYPE_CHECKING:
    from bridge.web.service.config import HashCosts

MIN_LENGTH, MAX_LENGTH = 15, 128
_PARALLEL, _WAITING = 2, 20  # each takes 64 MiB and a core
_SITE_WORDS = frozenset({"streamsep", "stream_sep", "stream-sep"})


class Passwords:
    """Hashes and verifies, two at a time, so that a flood of log-ins does not block the machine.

    While too many wait, `hash` and `verify` raise `Problem`: the server is busy.

    Args:
        costs: of argon2id.
    """

    def __init__(self, costs: HashCosts) -> None:
        self._hasher = PasswordHasher(costs.passes, costs.memory_kib, costs.lanes, hash_len=32, salt_len=16)
        self._slots = Slots(_PARALLEL, _WAITING)
        self._decoy = self._hasher.hash(secrets.token_hex())

    def hash(self, password: str) -> str:
        """Return the hash of a password, with salt and costs in it."""
        with self._slots.taken():
            return self._hasher.hash(normalize(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """Return whether a password is correct; takes as long without an account, ``stored`` being None.

        Args:
            stored: the stored hash, or None.
            password: the password in the clear.
        """
        with self._slots.taken():
            try:
                self._hasher.verify(stored or self._decoy, normalize(password))
            except (VerifyMismatchError, InvalidHashError):
                return False
        return stored is not None

    def renewed(self, stored: str, password: str) -> str | None:
        """Return a new hash of a correct password if the stored one was made with other costs, else None.

        Args:
            stored: the stored hash.
            password: the password in the clear.
        """
        return self.hash(password) if self._hasher.check_needs_rehash(stored) else None


def normalize(password: str) -> str:
    """Return a password in Unicode's NFC: keyboards differ in how they write one letter."""
    return unicodedata.normalize("NFC", password)


def check_password(password: str, name: str = "") -> str:
    """Validate and normalize a password.

    Args:
        password: the password in the clear.
        name: the account's name.

    Raises:
        Problem: it is too short, too long, common, or the account's name.

    >>> check_password("three random words")
    'three random words'
    """
    password = normalize(password)
    if len(password) < MIN_LENGTH:
        raise _weak(f"Use at least {MIN_LENGTH} characters.", "Three random words are fine.")
    if len(password) > MAX_LENGTH:
        raise _weak(f"Use at most {MAX_LENGTH} characters.")
    squeezed = "".join(password.casefold().split())
    if _is_common(squeezed):
        raise _weak("This is one of the most common passwords.", "Three random words are fine.")
    if name and squeezed.replace(name.casefold(), "") in {"", *_SITE_WORDS}:
        raise _weak("Do not use your name as your password.", "Three random words are fine.")
    return password


def new_secret(prefix: str = "") -> str:
    """Return 256 random bits as text for a cookie, a link or a token."""
    return prefix + secrets.token_urlsafe(32)


def new_recovery_code() -> str:
    """Return a code that can be written down: 80 random bits without letters that look alike."""
    letters = "".join(secrets.choice("abcdefghjkmnpqrstvwxyz23456789") for _ in range(16))
    return "-".join(letters[at : at + 4] for at in range(0, 16, 4))


def hash_secret(secret: str) -> str:
    """Return the stored hash of a random secret, which needs no salt and no cost as it cannot be guessed."""
    return hashlib.sha256(secret.encode()).hexdigest()


def _is_common(text: str) -> bool:
    """Return whether a password is easy to guess: a common one, two of them joined, or a short one repeated.

    Of the 30,000 most common passwords only 31 have 15 characters or more, so that a list alone would reject almost
    nothing: people who have to use more characters write two, or add digits.
    """
    if len(set(text)) < 5 or (text + text).find(text, 1) <= len(text) // 2:  # a period: the text occurs in its double
        return True
    found = {letters for word in _common().findall(text) if (letters := _letters(word))}
    return not _letters(_common().sub("", text)) and len(found) <= 2


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]", "", text)


@cache
def _common() -> re.Pattern[str]:
    """Return a pattern of common passwords (the lists of zxcvbn, MIT), the longest first."""
    words = resources.files(__package__).joinpath("common_passwords.txt").read_text("utf-8").split()
    return re.compile("|".join(map(re.escape, sorted({*words, *_SITE_WORDS}, key=len, reverse=True))))


def _weak(detail: str, hint: str = "") -> Problem:
    return Problem(422, "weak-password", detail, hint)
