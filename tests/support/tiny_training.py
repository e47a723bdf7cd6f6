"""Trainings of seconds: songs of tones and clicks, a config for them, and teachers with random weights."""

import dataclasses

import numpy as np
from requirements import require_package

require_package("torch", "train")

import torch
from causal_networks import save_weights

from stream_sep.separators.causal.config import SIZES
from stream_sep.training.augmentation import AugmentConfig
from stream_sep.training.causal import CausalTrainingModel
from stream_sep.training.config import TeachConfig
from stream_sep.training.config_file import read_config
from stream_sep.training.data.cache import RATE
from stream_sep.training.trainer import Trainer

KINDS = {"vocals": 880.0, "drums": None, "bass": 80.0, "other": 3000.0}
TINY = """
[network]
size = "tiny"
[data]
caches = ["cache"]
validation_percent = 50
[mix]
speed = 0.0
[augment]
room = 0.0
[training]
steps = {steps}
batch = 2
seconds = 0.2
burn_in_seconds = 0.03
learning_rate = 0.02
ema = 0.9
validate_every = {every}
threads = 1
"""


def sound(stem, seed, seconds=2):
    """A stem that differs from the others in its pitch, or, drums, in its clicks."""
    rng, t = np.random.default_rng(seed), np.arange(seconds * RATE) / RATE
    if KINDS[stem] is None:
        clicks = rng.standard_normal((len(t), 2)) * (np.sin(2 * np.pi * 4 * t) > 0.95)[:, None]
        return (0.3 * clicks).astype(np.float32)
    tone = np.sin(2 * np.pi * KINDS[stem] * rng.uniform(0.95, 1.05) * t + rng.uniform(0, 6))
    return np.repeat(0.2 * tone[:, None], 2, axis=1).astype(np.float32)


def config(home, name="tiny", steps=6, every=100):
    (home / f"{name}.toml").write_text(TINY.format(steps=steps, every=every))
    return read_config(home / f"{name}.toml")


def train(home, folder, stop_at=None, **options):
    trainer = Trainer(config(home, **options), folder, device="cpu")
    messages = []
    trainer.run(messages.append, lambda: stop_at is not None and trainer.step >= stop_at)
    return trainer, messages


def weights(trainer):
    return {name: value.clone() for name, value in trainer.model.state_dict().items()}


def random(seed=0):
    return torch.Generator().manual_seed(seed)


QUIET = AugmentConfig(**dict.fromkeys((field.name for field in dataclasses.fields(AugmentConfig)), 0.0))


def teachers(folder):
    """Files of two networks of different widths and outputs, and the networks."""
    torch.manual_seed(5)
    sizes = SIZES["tiny"], dataclasses.replace(SIZES["tiny"], width=12, blocks=2)
    networks = [CausalTrainingModel(size).network for size in sizes]
    for number, network in enumerate(networks):
        torch.nn.init.normal_(network.decoder, std=0.5)
        save_weights(network, folder / f"teacher{number}.safetensors")
    return [str(folder / f"teacher{number}.safetensors") for number in range(2)], networks


def taught(home, steps=6, share=0.5, **options):
    plain = config(home, steps=steps, **options)
    names, _ = teachers(home)
    return dataclasses.replace(plain, teach=TeachConfig(tuple(names), share))
