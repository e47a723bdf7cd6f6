"""Which songs are kept out of training, by artist."""

from __future__ import annotations

import hashlib


def is_validation(name: str, percent: int) -> bool:
    """Return whether a song is kept out of training: by its artist, so that no voice is in both sets.

    Args:
        name: the song's name, ``artist - title``.
        percent: share of artists kept out of training.

    >>> is_validation("Leaf - Wicked", 20) == is_validation("Leaf - Summerghost", 20)
    True
    """
    artist = name.partition(" - ")[0]
    return hashlib.sha256(artist.encode()).digest()[0] * 100 < percent * 256
