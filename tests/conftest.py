"""What several tests need of the machine they run on: a JACK server with no sound card behind it."""

import contextlib
import dataclasses
import os
import shutil
import subprocess
import sys
import uuid
from pathlib import Path

import processes
import pytest
from mixer_double import MixerDouble
from requirements import require, require_package

ROOT = Path(__file__).parent.parent
SLOW_FIXTURES = frozenset({"jackd", "start_jackd", "portaudio_on_jack", "tiny_weights"})
SLOW = (
    "backends/test_jack",
    "backends/test_portaudio",
    "bridge/benchmarks",
    "bridge/daws",
    "bridge/osc/test_osc_programs",
    "bridge/plugin",
    "bridge/web",
    "cli/test_cli",
    "cli/test_commands_with_kinds",
    "cli/test_default_song_model",
    "cli/test_documented_commands",
    "cli/test_full_disk",
    "cli/test_interrupted_commands",
    "cli/test_interrupts",
    "cli/test_jack_notice",
    "cli/test_lab_commands",
    "cli/test_separate_command",
    "cli/test_serve",
    "cli/test_warm_up",
    "cli/test_web_command",
    "cli/tui",
    "effects/test_chains_in_workers",
    "engine",
    "evaluation/test_bench_files",
    "evaluation/test_bench_stops",
    "evaluation/test_report",
    "evaluation/test_soak",
    "files",
    "laws",
    "lowlevel/test_code_cache",
    "player",
    "separators",
    "support",
    "test_docs",
    "test_examples",
    "test_fast_collection",
    "test_notebook",
    "tools",
    "training",
)
"""Tests that start processes, servers or browsers, run in real time, or run networks; not in ``make fast``."""

SLOW_SOURCES = ("bridge/benchmarks", "bridge/web/service", "stream_sep/training")
"""Packages with examples in docstrings whose import takes PyTorch or a web framework; as above."""

HEAVY = ("torch", "fastapi", "ray")
"""What the collection of fast tests must not import: each takes as long as hundreds of tests."""

PERIOD = 128
RATE = 44100
_PATIENCE = 10.0
_WAIT = """
import sys, time, jack
while True:
    try:
        jack.Client("probe", servername=sys.argv[1], no_start_server=True).close()
        break
    except jack.JackOpenError:
        time.sleep(0.05)
"""


def pytest_configure(config):
    if config.option.markexpr == "not slow":
        config.pluginmanager.register(FastCollection())


class FastCollection:
    """Leaves slow files, and modules without examples, unread: to import them takes longer than the tests."""

    def pytest_ignore_collect(self, collection_path):
        return True if is_slow(collection_path) or has_no_tests(collection_path) else None

    def pytest_collection_finish(self):
        if loaded := [name for name in HEAVY if name in sys.modules]:
            raise pytest.UsageError(f"fast tests import {', '.join(loaded)}; add what does to SLOW in {__file__}")


def is_slow(path):
    """Whether a file's tests, or a module's doctests, are left out by ``make fast``."""
    place = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else ""
    return place.startswith((*SLOW_SOURCES, *(f"tests/{one}" for one in SLOW)))


def has_no_tests(path):
    """Whether a file is a module without an example in its docstrings."""
    is_module = path.suffix == ".py" and not path.is_relative_to(ROOT / "tests")
    return is_module and ">>> " not in path.read_text(encoding="utf-8")


def pytest_collection_modifyitems(items):
    """Mark the slow tests; leave those of a release out unless they are requested."""
    release = pytest.mark.skip(reason="of a release: set STREAM_SEP_RELEASE_TESTS=1, it takes minutes")
    for item in items:
        if item.get_closest_marker("release") and os.environ.get("STREAM_SEP_RELEASE_TESTS") != "1":
            item.add_marker(release)
        if is_slow(item.path) or SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(autouse=True)
def _denormals():
    """Undo what models do to the thread: with denormals flushed, Hypothesis refuses to draw floats."""
    yield
    if "torch" in sys.modules:
        sys.modules["torch"].set_flush_denormal(False)


@contextlib.contextmanager
def running_jackd(name, rate=RATE, period=PERIOD):
    """Run a JACK server called ``name`` that has 8 inputs and 12 outputs of no sound card.

    A server that is killed keeps one of the system's eight places, unless one of the same name comes back for it: so
    a server that is meant to die has the same name in every run.
    """
    command = ["jackd", "--no-realtime", "-n", name, "-d", "dummy", "-r", str(rate), "-p", str(period)]
    with subprocess.Popen(
        [*command, "-C", "8", "-P", "12"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            _wait_for_server(name)
            yield server
        finally:
            processes.end(server, 5)


def _wait_for_server(name):
    # a process can be a client of one server only, and ours may be one already
    try:
        subprocess.run([sys.executable, "-c", _WAIT, name], check=True, capture_output=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.fail(f"jackd {name} did not start in {_PATIENCE} s: end servers left over, of which it allows eight")


@pytest.fixture(scope="session")
def start_jackd():
    """A context manager that runs a JACK server of a given name."""
    require(shutil.which("jackd"), "needs a JACK server: apt install jackd2")
    try:
        import jack  # noqa: F401, PLC0415 - whether it is there
    except (ImportError, OSError):
        require(condition=False, remedy="needs JACK's client library: pip install 'stream-sep[jack]'")
    return running_jackd


@pytest.fixture(scope="module")
def jackd(request, start_jackd):
    """A JACK server that JACK clients and PortAudio find by themselves; gives its name.

    A module with other cycles sets its own ``JACK_PERIOD``.
    """
    name = f"stream_sep_{uuid.uuid4().hex[:8]}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JACK_DEFAULT_SERVER", name)
        patch.setenv("JACK_NO_START_SERVER", "1")
        with start_jackd(name, period=getattr(request.module, "JACK_PERIOD", PERIOD)):
            yield name


@pytest.fixture(scope="module")
def portaudio_on_jack(jackd):
    """PortAudio, started while the JACK server runs, so that it has one device."""
    from stream_sep.backends.portaudio_library import portaudio, rescan  # noqa: PLC0415
    from stream_sep.errors import DeviceError  # noqa: PLC0415 - the laws need no package for the helpers above

    try:
        rescan()
    except DeviceError as error:
        require(condition=False, remedy=str(error))
    require(len(portaudio().query_devices()) > 0, "needs a PortAudio with JACK: apt install libportaudio2")
    yield jackd
    portaudio()._terminate()


@pytest.fixture(scope="session")
def tiny_weights(tmp_path_factory):
    """A function that gives a folder with causal networks of random weights: plain, with look-ahead, of odd sizes."""
    folder = tmp_path_factory.mktemp("weights")

    def write():
        for name in ("torch", "safetensors"):
            require_package(name, "train")
        if not any(folder.iterdir()):
            write_tiny_weights(folder)
        return folder

    return write


def write_tiny_weights(folder):
    import torch  # noqa: PLC0415 - heavy, and few tests need it
    from causal_networks import save_weights  # noqa: PLC0415 - as torch

    from stream_sep.separators.causal.config import SIZES  # noqa: PLC0415 - as torch
    from stream_sep.separators.causal.export import export_int8  # noqa: PLC0415 - as torch
    from stream_sep.separators.causal.network import CausalNetwork  # noqa: PLC0415 - as torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        odd = {"width": 10, "mixer": 5, "points": 7, "blocks": 2}
        hybrid = {"blocks": 2, "conv_channels": 5}
        sizes = {"tiny": {}, "tiny-ahead": {"lookahead": 3}, "tiny-odd": odd, "tiny-hybrid": hybrid}
        for name, changes in sizes.items():
            size = dataclasses.replace(SIZES["tiny"], **changes)
            save_weights(CausalNetwork(size), folder / f"{name}.safetensors")
            export_int8(folder / f"{name}.safetensors", folder / f"{name}-int8.safetensors")
        write_tiny_kinds(folder)


def write_tiny_kinds(folder):
    """Networks of the other kinds, with random weights of which none is zero."""
    import torch  # noqa: PLC0415 - heavy, and few tests need it

    from stream_sep.separators.source_groups import SourceGroups  # noqa: PLC0415 - as torch
    from stream_sep.training.kinds import build_model, save_weights  # noqa: PLC0415 - as torch

    transformer, pair = {"size": "tiny"}, SourceGroups.preset("drums-no_drums")
    for name, kind, table in (
        ("frame-transformer", "frame-transformer", transformer),
        ("frame-transformer-ahead", "frame-transformer", {**transformer, "lookahead": 3}),
        ("frame-transformer-whole", "frame-transformer", {**transformer, "form": "whole", "window_seconds": 0.2}),
        ("hs-tasnet", "hs-tasnet", {"hidden": 8, "basis": 6}),
        ("unet", "unet", {"base": 2}),
    ):
        model = build_model(kind, table, groups=pair)
        for weights in model.parameters():
            torch.nn.init.normal_(weights, std=0.2)
        save_weights(kind, model, folder / f"{name}.safetensors", {}, pair)
    write_tiny_import(folder)


def write_tiny_import(folder):
    """An imported network of random weights."""
    import torch  # noqa: PLC0415 - heavy, and few tests need it

    from stream_sep.separators.imported.cascaded_net import CascadedNet, CascadedNetConfig  # noqa: PLC0415 - as torch
    from stream_sep.separators.imported.importer import import_checkpoint  # noqa: PLC0415 - as torch

    torch.save(CascadedNet(CascadedNetConfig(8, 8, 64)).state_dict(), folder / "baseline.pth")
    import_checkpoint(folder / "baseline.pth", folder / "imported.safetensors")


@pytest.fixture
def mixer():
    """What a control surface moves, without an engine."""
    return MixerDouble()
