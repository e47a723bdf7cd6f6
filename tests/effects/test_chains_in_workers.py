"""Effects behind every kind of worker: set while it runs, reported, restored after a crash."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest
import soundfile
import waiting
from processes import children_of, is_running
from requirements import require, require_package

from stream_sep.audio.ring_layout import RingLayout
from stream_sep.audio.rings import write_frames
from stream_sep.audio.shared_rings import SharedRings
from stream_sep.effects.chained_separator import ChainSpec
from stream_sep.engine.worker.inline_worker import InlineWorker
from stream_sep.engine.worker.process_worker import ProcessWorker
from stream_sep.engine.worker.thread_worker import ThreadWorker
from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.separators import load_separator

wait_until = waiting.until


@pytest.fixture(autouse=True)
def _pedalboard():
    require_package("pedalboard", "effects")


RATE, HOP, CARRIER = 44100, 256, 3
INVERT = {"other": [{"plugin": "Invert"}]}
LIMITER = {"other": [{"plugin": "BrickwallLimiter"}]}
QUIET = {"other": [{"plugin": "Gain", "parameters": {"gain_db": -20.0}}]}


class Player:
    """Feeds a worker hops and reads its output."""

    def __init__(self, worker):
        self.worker, self._hop = worker, 0
        layout = RingLayout(channels=2, stems=4, hop=HOP, capacity=1 << 17, slots=2000)
        self._rings = SharedRings.create(layout)
        worker.start(self._rings)

    def play(self, level):
        """Play one hop of ``level``, constant; return the output on the carrier, or None where it was left out."""
        hop, self._hop = self._hop, self._hop + 1
        block = np.full((2, HOP), level, np.float32)
        write_frames(self._rings.capture, self._rings.positions, block, HOP)
        self.worker.catch_up()
        wait_until(lambda: self._rings.tags[hop] in {hop, -hop - 2})
        return self._rings.hops[hop, CARRIER].copy() if self._rings.tags[hop] == hop else None

    def settled(self, level=0.25):
        """Return the level that comes out after some hops of ``level``."""
        return float([self.play(level) for _ in range(12)][-1][0, -1])

    def jump(self):
        """Go on with the sound of now, as a worker that was started again does."""
        self._hop = int(self._rings.captured() // HOP)


@pytest.fixture(params=["inline", "thread", "process"])
def start(request):
    """Start a worker of each kind with passthrough in it; gives the player and the list of its reports."""
    started = []

    def make(**options):
        reports = []
        if request.param == "process":
            worker = ProcessWorker("passthrough", RATE, {"hop": HOP}, reports.append, **options)
        else:
            kind = {"inline": InlineWorker, "thread": ThreadWorker}[request.param]
            worker = kind(lambda: load_separator("passthrough", RATE, hop=HOP), reports.append, **options)
        started.append(worker)
        return Player(worker), reports

    yield make
    for worker in started:
        worker.stop()


def test_chains_are_there_from_the_start_and_change_while_it_runs(start):
    player, reports = start(chains=INVERT, chain_reserve=300)
    worker = player.worker
    assert worker.chain_latency == worker.info.latency == 300
    assert worker.chains == ChainSpec.parse(INVERT)
    assert player.settled() == -0.25
    worker.set_chains(QUIET)
    assert player.settled() == pytest.approx(0.025, rel=1e-3)
    worker.set_effect("other", 0, "gain_db", 6.0)
    assert player.settled() == pytest.approx(0.5, rel=1e-2)
    worker.set_bypass("other", bypassed=True)
    assert player.settled() == 0.25
    worker.set_bypass("other", bypassed=False)
    worker.set_effect("other", 0, "bypass", value=True)
    assert player.settled() == 0.25
    worker.set_chains({})
    assert player.settled() == 0.25
    assert worker.chains == ChainSpec()
    assert reports == []


def test_what_cannot_be_set_is_refused_with_a_message_and_changes_nothing(start):
    player, _ = start(chain_reserve=100, chains=QUIET)
    worker = player.worker
    for change, message in (
        (lambda: worker.set_chains(LIMITER), "220 frames late and 100 are reserved: start with chain_reserve=220"),
        (lambda: worker.set_chains({"othr": []} | {"othr": LIMITER["other"]}), "did you mean 'other'"),
        (lambda: worker.set_effect("other", 0, "gain", 3), "did you mean 'gain_db'"),
        (lambda: worker.set_effect("other", 1, "gain_db", 3), "it has 1, counted from 0"),
        (lambda: worker.set_bypass("all", bypassed=True), "there is no stem 'all'"),
    ):
        with pytest.raises(ConfigError, match=message):
            change()
    with pytest.raises(SeparatorError, match="plugin file not found"):
        worker.set_chains({"other": [{"plugin": "/not/there.vst3"}]})
    assert worker.chains == ChainSpec.parse(QUIET)
    assert player.settled() == pytest.approx(0.025, rel=1e-3)


def test_chains_that_cannot_begin_are_refused(start):
    with pytest.raises(ConfigError, match="chain_reserve=220"):
        start(chains=LIMITER, chain_reserve=100)
    with pytest.raises(SeparatorError, match="plugin file not found"):
        start(chains={"other": [{"plugin": "/not/there.vst3"}]})


def test_without_chains_or_a_reserve_there_is_no_cost_and_an_error_message(start):
    player, _ = start()
    assert player.worker.chain_latency == 0
    assert player.settled() == 0.25
    with pytest.raises(ConfigError, match="start it with chain_reserve=0"):
        player.worker.set_chains(INVERT)


@pytest.mark.parametrize("standby", [False, True])
def test_a_process_that_dies_comes_back_with_its_chains_as_they_were_last(standby):
    reports = []
    worker = ProcessWorker("passthrough", RATE, {"hop": HOP}, reports.append, chains=LIMITER, standby=standby)
    try:
        player = Player(worker)
        worker.set_chains({**INVERT, "vocals": LIMITER["other"]})
        assert player.settled() == -0.25
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: worker.restarts == 1)
        player.jump()
        assert worker.chain_latency == 220
        assert player.settled() == -0.25
        worker.set_bypass("other", bypassed=True)
        os.kill(worker.pid, signal.SIGKILL)
        worker.set_chains(QUIET)  # to a process that is not there: it is sent once it is
        wait_until(lambda: worker.restarts == 2)
        player.jump()
        assert player.settled() == 0.25
        worker.set_bypass("other", bypassed=False)
        assert player.settled() == pytest.approx(0.025, rel=1e-3)
        assert len(reports) == 4
    finally:
        worker.stop()


def test_a_chain_that_cannot_come_back_is_left_out_and_reported(tmp_path):
    impulse = tmp_path / "half.wav"
    soundfile.write(impulse, np.array([0.5] + [0.0] * 99), RATE)
    reports = []
    chains = {"other": [{"plugin": "Convolution", "parameters": {"impulse_response_filename": str(impulse)}}]}
    worker = ProcessWorker(
        "passthrough", RATE, {"hop": HOP}, reports.append, chains={**chains, "bass": LIMITER["other"]}
    )
    try:
        player = Player(worker)
        assert abs(player.settled()) != 0.25
        impulse.unlink()
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: worker.restarts == 1)
        player.jump()
        assert player.settled() == 0.25
        assert any("'Convolution' cannot be created" in report and "plays without it" in report for report in reports)
    finally:
        worker.stop()


def test_a_vst3_comes_back_with_its_process_and_leaves_none_behind():
    path = Path("/usr/lib/vst3/ZaMaximX2.vst3")
    require(path.exists(), "needs: apt install zam-plugins")
    reports = []
    worker = ProcessWorker("passthrough", RATE, {"hop": HOP}, reports.append, chain_reserve=480)
    try:
        player = Player(worker)
        worker.set_chains({"other": [{"plugin": str(path), "parameters": {"output_ceiling_db": -20.0}}]})
        quiet = player.settled()
        assert 0 < quiet < 0.2
        hosts = effect_hosts(worker.pid)
        assert len(hosts) == 1
        os.kill(worker.pid, signal.SIGKILL)
        wait_until(lambda: worker.restarts == 1)
        player.jump()
        assert player.settled() == pytest.approx(quiet, rel=0.05)
        hosts |= effect_hosts(worker.pid)
        assert len(hosts) == 2
        worker.set_chains({})
        player.settled()
        wait_until(lambda: not any(is_running(pid) for pid in hosts))
    finally:
        worker.stop()


def effect_hosts(pid):
    hosts = children_of(pid)
    return {host for host in hosts if b"effects.plugin_process" in Path(f"/proc/{host}/cmdline").read_bytes()}
