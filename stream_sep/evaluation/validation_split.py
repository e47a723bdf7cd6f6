"""Which songs are kept out of training, by artist."""

from __future__ import annotations

import hashlib

HELD_OUT_ARTISTS = frozenset(
    {
        # MUSDB18, the previews of its train part: what 16 percent of the artists come to
        "Aimee Norwich",
        "Alexander Ross",
        "Angela Thomas Wade",
        "Bill Chudziak",
        "Drumtracks",
        "James May",
        "Lushlife",
        "Patrick Talbot",
        "Sweet Lights",
        "The So So Glos",
        # Cambridge Music Technology: four sung songs in four stems, then three without vocals
        "Boogiesnakes",
        "Nova-One Studio",
        "Saturn Syndicate",
        "The Bright Star Alliance",
        "Eddie Garrido",
        "Ludo",
        "U T Gandhi",
        # MIR-1K: singers
        "Kenshin",
        "amy",
        "annar",
        "bobon",
        "leon",
        # Everything is Free: a song each
        "caesium",
    }
)
"""Artists of public data sets that every training with a validation split holds out, whichever of the sets it has.

So that scores of networks trained on other sources compare; an artist of several sets is on one side in all of them.
"""


def is_validation(name: str, percent: int) -> bool:
    """Return whether a song is kept out of training: by its artist, so that no voice is in both sets.

    Args:
        name: the song's name, ``artist - title``.
        percent: share of artists kept out of training, besides `HELD_OUT_ARTISTS`; 0 keeps out none.

    >>> is_validation("Leaf - Wicked", 20) == is_validation("Leaf - Summerghost", 20)
    True
    >>> is_validation("James May - If You Say", 1), is_validation("James May - If You Say", 0)
    (True, False)
    """
    artist = name.partition(" - ")[0]
    if percent > 0 and artist in HELD_OUT_ARTISTS:
        return True
    return hashlib.sha256(artist.encode()).digest()[0] * 100 < percent * 256
