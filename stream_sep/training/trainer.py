"""The training: batches, steps, moving average, validation and checkpoints, from a config to a file of weights."""

from __future__ import annotations

import json
import math
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from stream_sep.errors import ConfigError
from stream_sep.lowlevel.bf16 import has_fast_bf16
from stream_sep.lowlevel.malloc import disable_malloc_trim
from stream_sep.training.augmentation import Augmenter
from stream_sep.training.checkpoints import load_checkpoint, save_checkpoint
from stream_sep.training.data.cache import RATE
from stream_sep.training.data.prefetch import open_sampler
from stream_sep.training.data.store import load_dataset
from stream_sep.training.distributed import Distributed
from stream_sep.training.initial_model import initial_model
from stream_sep.training.kinds import save_weights
from stream_sep.training.losses import volume_weights
from stream_sep.training.metrics_log import MetricsLogger, plot_example
from stream_sep.training.objective import Objective
from stream_sep.training.schedule import cosine, warmup_poly
from stream_sep.training.skipped_steps import SkippedSteps
from stream_sep.training.validation import separate_whole, validate, whole_song

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stream_sep.training.config import TrainConfig

_REPORT_SECONDS = 10.0
_WARM_STEPS = 5  # before them, the estimate is too inaccurate
_MOST_EXAMPLE = 10 * RATE


class Trainer:
    """Trains one network.

    Args:
        config: the training.
        folder: for checkpoints, curves and weights; a training in it is resumed.
        device: ``cpu``, ``cuda``, or ``auto`` for the best of them.
        fresh: start from scratch, whatever is in the folder.

    Attributes:
        skipped: the steps that were skipped, as their gradients were not finite.

    Raises:
        ConfigError: data or a value cannot be used, or the folder holds another training.
    """

    def __init__(self, config: TrainConfig, folder: Path, *, device: str = "auto", fresh: bool = False) -> None:
        self.config, self.folder = config, folder
        self._distributed = Distributed.join()
        self._device = self._distributed.device(device)
        self._batch = self._distributed.local_batch(config.training.batch)
        _prepare(config.training.threads, config.training.precision)
        is_half = config.training.precision == "bfloat16"
        if self._device.type == "cpu":
            disable_malloc_trim()
            is_half |= config.training.precision == "auto" and has_fast_bf16()
        torch.manual_seed(config.training.seed)
        self._random = torch.Generator(self._device).manual_seed(config.training.seed + self._distributed.rank)
        self._kind, self.model = initial_model(config, self._device, self._random)
        self._average = {name: value.detach().clone() for name, value in self.model.state_dict().items()}
        self._optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=0.0, betas=(0.9, 0.98), weight_decay=config.training.weight_decay
        )
        data: dict[str, Any] = {"percent": config.data.validation_percent, "device": self._device}
        data["groups"] = config.groups
        train = load_dataset(config.caches, validation=False, **data)
        self._kept = load_dataset(config.validation_caches, validation=True, **data)
        weights = volume_weights(train.norms) if config.training.loss == "volume" else None
        self._objective = Objective(config, self.model, self._device, is_half=is_half, weights=weights)
        self._augmenter = Augmenter(config.augment, self._random)
        self.step, self.seconds, self.best = 0, 0.0, -math.inf
        self.skipped = SkippedSteps()
        folder.mkdir(parents=True, exist_ok=True)
        if not fresh:
            self._resume()
        seed = config.training.seed + self._distributed.rank
        self._sampler = open_sampler(train, config.mix, self._random, seed, self.step)
        self._notices = dict.fromkeys(each.notice for each in (train, self._kept) if each.notice)
        self._distributed.broadcast(self.model.state_dict().values())

    @property
    def is_main(self) -> bool:
        """Whether this process is the one, of those that train together, which validates and writes."""
        return self._distributed.is_main

    @property
    def progress(self) -> float:
        """Share of the training that is done, from 0 to 1."""
        training = self.config.training
        by_steps = self.step / training.steps if training.steps else 0.0
        by_time = self.seconds / 60 / training.minutes if training.minutes else 0.0
        return min(1.0, max(by_steps, by_time))

    def run(self, report: Callable[[str], None], should_stop: Callable[[], bool] = lambda: False) -> None:
        """Train to the end, or until ``should_stop`` returns True, and write a checkpoint.

        Args:
            report: callback that receives progress messages.
            should_stop: called after every step.
        """
        curves = (
            MetricsLogger(self.folder, self.step, self.config.groups.stems) if self._distributed.is_main else None
        )
        report = report if curves is not None else lambda _: None
        for notice in self._notices:
            report(notice)
        clock = _Clock(self.seconds)
        losses: list[Tensor] = []
        saved = reported = time.monotonic()
        while self.progress < 1 and not self._distributed.any(value=should_stop(), device=self._device):
            losses.append(self._advance())
            self.step += 1
            due = self.step % self.config.training.validate_every == 0
            if due or time.monotonic() - reported > _REPORT_SECONDS:
                report(self._progress_line(float(torch.stack(losses).mean()), clock))
                self._report_skipped(report)
                reported = time.monotonic()
            self.seconds = self._distributed.first(clock.now(), self._device)
            if due or self.progress >= 1:
                if curves is not None:
                    self._examine(curves, float(torch.stack(losses).mean()), report)
                losses.clear()
            if due or time.monotonic() - saved > self.config.training.checkpoint_seconds:
                self._save()
                saved = time.monotonic()
        self._save()
        self._report_skipped(report)
        if curves is not None:
            curves.close()
        self._distributed.shutdown()

    def _advance(self) -> Tensor:
        """Run one step; return its loss, left on the device to avoid a synchronization."""
        training = self.config.training
        model = self.model.train()
        hops = int(training.seconds * RATE) // model.hop
        drawn = self._sampler.sample(self._batch, self._objective.context_frames + hops * model.hop)
        stems = self._augmenter.augment(drawn.stems)
        for group in self._optimizer.param_groups:
            group["lr"] = self._lr_schedule()
        carry_state = (
            float(torch.rand((), device=self._device, generator=self._random)) < training.carry_state_probability
        )
        loss = self._objective.loss(stems, carry_state=carry_state, max_hz=self._augmenter.limits(drawn.max_hz))
        self._optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._distributed.average_gradients(model.parameters())
        norm = nn.utils.clip_grad_norm_(model.parameters(), training.grad_clip_norm)
        is_finite = bool(torch.isfinite(norm))
        self.skipped.add(skipped=not is_finite)
        if is_finite:
            self._optimizer.step()
        self._update_ema()
        return torch.as_tensor(loss.detach())

    def _lr_schedule(self) -> float:
        training = self.config.training
        peak = training.learning_rate
        if training.schedule == "cosine":
            return peak * cosine(self.progress, training.warmup)
        return warmup_poly(self.step, peak, training.warmup_steps, training.decay_steps, training.decay_power)

    def _update_ema(self) -> None:
        """Move the average towards the weights; faster at first, or the initial weights would dominate it."""
        decay = min(self.config.training.ema, (1 + self.step) / (10 + self.step))
        now = self.model.state_dict()
        floats = [name for name, value in now.items() if value.is_floating_point()]
        torch._foreach_lerp_([self._average[name] for name in floats], [now[name] for name in floats], 1 - decay)

    def _examine(self, curves: MetricsLogger, loss: float, report: Callable[[str], None]) -> None:
        """Score the averaged weights on held-out songs; save them if they are the best."""
        now = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self._average)
        self.model.eval()
        scores = validate(self.model, self._kept)
        row = {"step": self.step, "seconds": self.seconds, "loss": loss}
        row.update(skipped_steps=self.skipped.count, learning_rate=self._lr_schedule())
        curves.add({**row, **{f"usdr_{stem}": score for stem, score in scores.items()}})
        report(f"step {self.step}: " + ", ".join(f"{stem} {score:.2f}" for stem, score in scores.items()) + " dB")
        self._keep("last", scores)
        if not scores["mean"] <= self.best:
            self.best = scores["mean"]
            self._keep("best", scores)
            self._draw()
        self.model.load_state_dict(now)

    def _keep(self, name: str, scores: dict[str, float]) -> None:
        about = {
            "step": str(self.step),
            "seconds": f"{self.seconds:.0f}",
            "scores": json.dumps({stem: round(score, 3) for stem, score in scores.items()}),
            "config": json.dumps(self.config.to_dict()),
        }
        save_weights(self._kind, self.model, self.folder / f"{name}.safetensors", about, self.config.groups)

    def _draw(self) -> None:
        if not len(self._kept.whole):
            return
        stems = whole_song(self._kept, 0)[..., :_MOST_EXAMPLE]
        with torch.no_grad():
            estimates = separate_whole(self.model, stems.sum(dim=0))
        names = self.config.groups.stems
        plot_example(self.folder / "example.png", estimates.cpu().numpy(), stems.cpu().numpy(), names)

    def _progress_line(self, loss: float, clock: _Clock) -> str:
        done = max(self.progress, 1e-6)
        left = clock.now() * (1 - done) / done / 60
        minutes = f"about {left:.0f} min left" if left >= 1 else "less than 1 min left"
        remaining = minutes if self.step > _WARM_STEPS else "warming up"
        return f"step {self.step}, {100 * done:.1f} %, loss {loss:.3f}, {remaining}"

    def _report_skipped(self, report: Callable[[str], None]) -> None:
        if warning := self.skipped.warning(self.step):
            report(warning)

    def _save(self) -> None:
        if not self._distributed.is_main:
            return
        state = {
            "config": json.dumps(self.config.to_dict()),
            "weights": self.model.state_dict(),
            "average": self._average,
            "optimizer": self._optimizer.state_dict(),
            **self._objective.state_dict(),
            "random": self._random.get_state(),
            "step": self.step,
            "seconds": self.seconds,
            "best": self.best,
            "skipped_steps": self.skipped.count,
        }
        save_checkpoint(self.folder, state)

    def _resume(self) -> None:
        state = load_checkpoint(self.folder, self._device)
        if state is None:
            return
        before, now = json.loads(state["config"]), self.config.to_dict()
        if any(before.get(key, now[key]) != now[key] for key in ("network", "groups")):
            raise ConfigError(
                f"{self.folder} holds the training of another network; name another folder, or use --restart"
            )
        self.model.load_state_dict(state["weights"])
        self._average = state["average"]
        self._optimizer.load_state_dict(state["optimizer"])
        self._objective.load_state_dict(state, self._batch)
        if self._distributed.is_main:
            self._random.set_state(state["random"].cpu())
        else:  # or it would repeat its first draws
            self._random.manual_seed(
                self.config.training.seed + self._distributed.rank + self._distributed.size * state["step"]
            )
        self.step, self.seconds, self.best = state["step"], state["seconds"], state["best"]
        self.skipped.restore(state.get("skipped_steps", 0))


class _Clock:
    """Seconds of training, over all runs."""

    def __init__(self, before: float) -> None:
        self._begun = time.monotonic() - before

    def now(self) -> float:
        return time.monotonic() - self._begun


def _prepare(threads: int, precision: str) -> None:
    if threads:
        torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "float32"
