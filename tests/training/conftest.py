"""Songs to train on, for all tests of trainings."""

import pytest
import soundfile

from stream_sep.protocols import STEMS


@pytest.fixture(scope="session")
def home(tmp_path_factory):
    """A folder with a cache of six songs by six artists."""
    from tiny_training import sound  # noqa: PLC0415 - needs torch

    from stream_sep.training.data.cache import RATE, build_cache  # noqa: PLC0415 - as it
    from stream_sep.training.data.layouts import find_stem_songs  # noqa: PLC0415 - as it

    folder = tmp_path_factory.mktemp("lab")
    for number in range(6):
        for stem in STEMS:
            path = folder / f"songs/Artist {number} - Song/{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sound(stem, number), RATE, subtype="FLOAT")
    build_cache(find_stem_songs(folder / "songs"), folder / "cache")
    return folder


@pytest.fixture(scope="session")
def library(home):
    """The training half of the songs in `home`."""
    import torch  # noqa: PLC0415 - not installed everywhere

    from stream_sep.training.data.store import load_dataset  # noqa: PLC0415 - needs torch

    return load_dataset([(home / "cache", 1.0)], validation=False, percent=50, device=torch.device("cpu"))
