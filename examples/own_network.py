"""Train a network of your own kind, two convolutions, on made-up songs, and separate with it."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
from torch import nn

from stream_sep import StemSeparator
from stream_sep.separators.source_groups import SourceGroups
from stream_sep.separators.unet.windows import UNetWindows
from stream_sep.separators.windowed import WindowedSeparator
from stream_sep.training.config import DataConfig, TrainConfig, TrainingConfig
from stream_sep.training.data.cache import build_cache
from stream_sep.training.data.layouts import find_stem_songs
from stream_sep.training.kinds import load_model
from stream_sep.training.trainer import Trainer
from stream_sep.training.unet import UNetTrainingModel

NAME = "own_network:KIND"  # for ``kind`` in a config, and for ``--model``


class Convolutions:
    """Magnitudes of mid and side in, logits of masks out."""

    format = "example convolutions 1"

    def build(self, table: dict[str, Any], groups: SourceGroups, _inference_hop: int = 0) -> UNetTrainingModel:
        """Return a network of random weights."""
        width, stems = table.get("width", 8), groups.stems
        layers = nn.Conv2d(2, width, 9, padding=4), nn.ReLU(), nn.Conv2d(width, 2 * len(stems), 3, padding=1)
        return UNetTrainingModel(nn.Sequential(*layers), stems)

    def describe(self, model: Any) -> dict[str, Any]:
        """Return the table from which `build` makes the same."""
        return {"width": model.network[0].out_channels}

    def load_separator(self, *, weights: str, sample_rate: int = 44100) -> WindowedSeparator:
        """Return a separator of the engine."""
        _, model, groups = load_model(Path(weights), NAME)
        hop = sample_rate // 4
        return WindowedSeparator(UNetWindows(model.network, groups.stems), context=hop, hop=hop, lookahead=0, fade=64)


KIND = Convolutions()

if __name__ == "__main__":
    home, rng = Path(tempfile.mkdtemp()), np.random.default_rng(0)
    for song in [home / f"songs/Artist {number} - Song" for number in range(6)]:
        song.mkdir(parents=True)
        soundfile.write(song / "bass.wav", 0.2 * np.sin(np.arange(44100) * rng.uniform(0.02, 0.05)), 44100)
        soundfile.write(song / "drums.wav", 0.1 * rng.standard_normal(44100), 44100)
    build_cache(find_stem_songs(home / "songs"), home / "cache", print)
    groups = SourceGroups.from_table({"drums": ["drums"], "no_drums": ["rest"]})
    training = TrainingConfig(steps=30, batch=2, seconds=0.5, burn_in_seconds=0.0, spectral=0.0, threads=1)
    data = DataConfig(("cache",), validation_percent=30)
    Trainer(TrainConfig("own", home, {"kind": NAME}, data, groups=groups, training=training), home / "out").run(print)
    print(StemSeparator(NAME, weights=home / "out/best.safetensors").stems)
