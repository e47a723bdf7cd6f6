"""The fifty songs of MUSDB18's test part, by which the field compares separators: none may be trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stream_sep.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable

SONGS = frozenset(
    {
        "AM Contra - Heart Peripheral",
        "Al James - Schoolboy Facination",
        "Angels In Amplifiers - I'm Alright",
        "Arise - Run Run Run",
        "BKS - Bulldozer",
        "BKS - Too Much",
        "Ben Carrigan - We'll Talk About It All Tonight",
        "Bobby Nobody - Stitch Up",
        "Buitraker - Revo X",
        "Carlos Gonzalez - A Place For Us",
        "Cristina Vane - So Easy",
        "Detsky Sad - Walkie Talkie",
        "Enda Reilly - Cur An Long Ag Seol",
        "Forkupines - Semantics",
        "Georgia Wonder - Siren",
        "Girls Under Glass - We Feel Alright",
        "Hollow Ground - Ill Fate",
        "James Elder & Mark M Thompson - The English Actor",
        "Juliet's Rescue - Heartbeats",
        "Little Chicago's Finest - My Own",
        "Louis Cressy Band - Good Time",
        "Lyndsey Ollard - Catching Up",
        "M.E.R.C. Music - Knockout",
        "Moosmusic - Big Dummy Shake",
        "Motor Tapes - Shore",
        "Mu - Too Bright",
        "Nerve 9 - Pray For The Rain",
        "PR - Happy Daze",
        "PR - Oh No",
        "Punkdisco - Oral Hygiene",
        "Raft Monk - Tiring",
        "Sambasevam Shanmugam - Kaathaadi",
        "Secretariat - Borderline",
        "Secretariat - Over The Top",
        "Side Effects Project - Sing With Me",
        "Signe Jakobsen - What Have You Done To Me",
        "Skelpolu - Resurrection",
        "Speak Softly - Broken Man",
        "Speak Softly - Like Horses",
        "The Doppler Shift - Atrophy",
        "The Easton Ellises - Falcon 69",
        "The Easton Ellises (Baumi) - SDRNR",
        "The Long Wait - Dark Horses",
        "The Mountaineering Club - Mallory",
        "The Sunshine Garcia Band - For I Am The Moon",
        "Timboz - Pony",
        "Tom McKenzie - Directions",
        "Triviul feat. The Fiend - Widow",
        "We Fell From The Sky - Not You",
        "Zeno - Signs",
    }
)


def refuse_test_songs(names: Iterable[str]) -> None:
    """Raise a `ConfigError` if a data set holds any of them.

    Raises:
        ConfigError: it does; the message names the first.
    """
    found = sorted(SONGS & set(names))
    if found:
        raise ConfigError(
            f"{found[0]!r} and {len(found) - 1} others belong to MUSDB18's test part, which no model may train on; "
            f"name the folder of the train part"
        )
