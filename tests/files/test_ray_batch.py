import json
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import soundfile
from requirements import require_package

from stream_sep.errors import ConfigError, SeparatorError
from stream_sep.files import ray_batch
from stream_sep.files.batch import separate_all
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.progress import Progress
from stream_sep.files.ray_batch import TRIES, separate_on_ray
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song_separator import Outcome
from stream_sep.files.tracks import Track, find_tracks

SONGS = 3


def write_songs(folder, seconds=12):
    folder.mkdir()
    for seed in range(SONGS):
        noise = 0.1 * np.random.default_rng(seed).standard_normal((44100 * seconds, 2))
        soundfile.write(folder / f"{seed}.wav", noise, 44100)
    (folder / "bad.wav").write_bytes(b"no")
    return folder


def test_a_cluster_does_as_one_machine_does_although_a_node_is_killed(tmp_path):
    require_package("ray", "ray")
    songs, out = write_songs(tmp_path / "songs", seconds=45), tmp_path / "out"  # so long that a node dies meanwhile
    program = Path(__file__).with_name("ray_cluster.py")
    done = subprocess.run(
        [sys.executable, program, songs, out], capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr[-3000:]
    received = json.loads(done.stdout.splitlines()[-1])
    assert received["killed"]
    assert received["at_once"] == 2
    assert received["left"] == []
    assert len(received["outcomes"]) == SONGS + 1
    assert "bad.wav" in received["outcomes"]["bad.wav"][0]
    assert sum("a worker was lost" in str(remarks) for _, remarks, _ in received["outcomes"].values()) == 1
    local = SeparationJob(SeparationSettings("bands", threads=1), out=tmp_path / "local", format=AudioFormat(bits=32))
    for _, outcome in separate_all(find_tracks([songs], local.out), local, lambda *_: None):
        assert len(received["outcomes"][outcome.track.path.name][2]) == len(outcome.files)
        for there, here in zip(received["outcomes"][outcome.track.path.name][2], outcome.files, strict=True):
            np.testing.assert_array_equal(soundfile.read(there)[0], soundfile.read(here)[0])
    assert not [path for path in out.rglob("*") if ".part" in path.name]


class FakeRay:
    """As much of Ray as is used, on the spot; a method is called when its ref is resolved."""

    exceptions = types.SimpleNamespace(RayError=ZeroDivisionError)

    def __init__(self, *resources):
        self.resources, self.hired, self.needs, self.killed = resources, 0, None, []

    def is_initialized(self):
        return True

    def nodes(self):
        return [{"Alive": True, "Resources": held} for held in self.resources]

    def remote(self, **needs):
        self.needs = needs
        return lambda kind: types.SimpleNamespace(remote=lambda job: self._hire(kind, job))

    def kill(self, worker):
        self.killed.append(worker)

    def wait(self, refs, **_):
        return list(refs), []

    def get(self, ref):
        return ref()

    def _hire(self, kind, job):
        self.hired += 1
        worker = kind(job)
        methods = ("refusal", "separate", "progress", "stop")
        calls = {name: lambda *given, name=name: lambda: getattr(worker, name)(*given) for name in methods}
        return types.SimpleNamespace(
            **{name: types.SimpleNamespace(remote=call) for name, call in calls.items()}, worker=worker
        )


class Separator:
    """In place of one with a model: separates by saying so."""

    def __init__(self, job):
        self.job = job

    def separate(self, track, report):
        report(Progress("separate", 0.5))
        if "kill" in track.name:
            raise KeyboardInterrupt
        (self.job.out / track.name).parent.mkdir(exist_ok=True)
        if track.name != "d":
            (self.job.out / track.name).touch()
        return Outcome(track, (self.job.out / track.name,))


@pytest.fixture
def tracks(monkeypatch, tmp_path):
    def separate(worker, track):
        try:
            return whole(worker, track)
        except KeyboardInterrupt as error:
            raise FakeRay.exceptions.RayError from error

    whole = ray_batch._Worker.separate
    monkeypatch.setattr(ray_batch._Worker, "separate", separate)
    monkeypatch.setattr(ray_batch, "SongSeparator", Separator)
    monkeypatch.setattr(ray_batch, "_POLL_SECONDS", 0.001)
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b", "kill", "d"):
        Path(f"{name}.wav").touch()
    return [Track(Path(f"{name}.wav"), Path(), name) for name in ("a", "b", "kill", "d")]


def run(monkeypatch, tracks, ray, job=None, **settings):
    monkeypatch.setitem(sys.modules, "ray", ray)
    return dict(separate_on_ray(tracks, job or SeparationJob(), lambda *_: None, **settings))


def test_a_song_that_ends_every_worker_fails_after_some_tries_and_the_rest_is_done(monkeypatch, tracks, tmp_path):
    ray = FakeRay({"CPU": 2})
    done = run(monkeypatch, tracks, ray)
    assert {index: bool(outcome.error) for index, outcome in done.items()} == {0: 0, 1: 0, 2: 1, 3: 0}
    assert f"{TRIES} workers ended" in done[2].error
    assert done[0].track == tracks[0]
    assert done[0].files[0] == tmp_path / "separated" / "a"
    assert ray.hired <= 1 + TRIES
    assert len(ray.killed) == 1  # the others are gone already


def test_folders_that_machines_do_not_share_are_reported(monkeypatch, tracks):
    done = run(monkeypatch, [Track(Path("gone.wav"), Path(), "gone"), tracks[3], tracks[0]], FakeRay({"CPU": 2}))
    assert "gone.wav on the machine" in done[0].error
    assert "share --out" in done[1].notes[0]
    assert done[2].notes == ()


@pytest.mark.parametrize(
    ("nodes", "requested", "expected"),
    [
        ([{"CPU": 9}, {"CPU": 4}], ({}, None), (3, {"num_cpus": 4})),
        ([{"CPU": 9}, {"CPU": 4}], ({}, 2), (2, {"num_cpus": 4})),
        ([{"CPU": 2}], ({}, None), (1, {"num_cpus": 2})),
        ([{"CPU": 2}], ({"threads": 1}, None), (2, {"num_cpus": 1})),
        ([{"CPU": 64, "GPU": 2.0}, {"CPU": 8}], ({}, None), (2, {"num_cpus": 1, "num_gpus": 1})),
        ([{"CPU": 8, "GPU": 1.0}], ({"device": "cpu"}, None), (2, {"num_cpus": 4})),
    ],
)
def test_there_is_a_worker_for_each_gpu_or_group_of_cores(monkeypatch, tracks, nodes, requested, expected):
    settings, jobs = requested
    ray = FakeRay(*nodes)
    run(monkeypatch, [tracks[k] for k in (0, 1, 3)], ray, SeparationJob(SeparationSettings(**settings)), jobs=jobs)
    assert (ray.hired, {k: v for k, v in ray.needs.items() if k.startswith("num")}) == expected


def test_no_room_for_a_worker_is_reported_after_a_while(monkeypatch, tracks):
    monkeypatch.setattr(ray_batch, "_START_TIMEOUT", 0.01)
    with pytest.raises(SeparatorError, match="ray status"):
        run(monkeypatch, tracks, FakeRay({"memory": 1.0}))


def test_a_model_that_a_worker_cannot_load_fails_the_run(monkeypatch, tracks):
    def refuse(_):
        raise SeparatorError("no model 'nonsense'")

    monkeypatch.setattr(ray_batch, "SongSeparator", refuse)
    with pytest.raises(SeparatorError, match="nonsense"):
        run(monkeypatch, tracks, FakeRay({"CPU": 2}))


def test_without_ray_the_remedy_is_one_line(monkeypatch, tracks):
    with pytest.raises(SeparatorError, match=r"-m pip install .*\[ray\]"):
        run(monkeypatch, tracks, None)


def test_workers_that_end_as_they_start_are_reported(monkeypatch, tracks):
    def fail(_):
        raise FakeRay.exceptions.RayError("a long story\nno module stream_sep")

    monkeypatch.setattr(ray_batch._Worker, "refusal", fail)
    with pytest.raises(SeparatorError, match="no module stream_sep"):
        run(monkeypatch, tracks, FakeRay({"CPU": 2}))


def test_a_cluster_is_joined_and_left(monkeypatch, tracks):
    done = []
    ray = FakeRay({"CPU": 2})
    ray.is_initialized = lambda: False
    ray.init = lambda **options: done.append(options["address"])
    ray.shutdown = lambda: done.append("left")
    run(monkeypatch, tracks, ray, address="10.0.0.9:6379")
    assert done == ["10.0.0.9:6379", "left"]


def test_an_unreachable_cluster_is_reported(monkeypatch, tracks):
    def init(**options):
        assert options["address"] == "10.0.0.9:6379"
        raise ConnectionError("refused")

    ray = types.SimpleNamespace(is_initialized=lambda: False, init=init)
    with pytest.raises(SeparatorError, match=r"10\.0\.0\.9:6379 \(refused\); start it there with 'ray start"):
        run(monkeypatch, tracks, ray, address="10.0.0.9:6379")


def test_no_jobs_at_all_are_refused(monkeypatch, tracks):
    with pytest.raises(ConfigError):
        run(monkeypatch, tracks, FakeRay({"CPU": 2}), jobs=0)
