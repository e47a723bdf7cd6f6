"""Refined stems while a song plays: those of separate, first at the playhead, and never in the way."""

import os
import queue
import signal
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import soundfile
import soxr
import waiting
from noise import uniform_noise
from requirements import require_package

from stream_sep import EngineConfig, OfflineBackend, PacedBackend, SeparatorError
from stream_sep.files import disk_space, model_identities
from stream_sep.files.job import SeparationJob
from stream_sep.files.model_identities import ModelIdentityCache
from stream_sep.files.segments import SegmentGrid, ShiftedPass
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song import open_song
from stream_sep.files.song_separator import SongSeparator
from stream_sep.files.song_statistics import measure_song
from stream_sep.files.stem_cache import StemCache, is_complete
from stream_sep.files.stream_pass import StreamingSongModel
from stream_sep.files.tracks import Track
from stream_sep.player import refiner_loop, refiner_process
from stream_sep.player.decoded_song import DecodedSong, DecodedSongWriter
from stream_sep.player.engine import PlayEngine
from stream_sep.player.partial_stem_file import PIECE, PartialStemFile
from stream_sep.player.partial_stems import PartialStems, drop_partial
from stream_sep.player.refine_schedule import RefineSchedule
from stream_sep.player.refiner import Refinement, Refiner
from stream_sep.player.resampled_stems import ResampledStems
from stream_sep.player.song_refiner import SongRefiner
from stream_sep.player.song_stems import open_stems
from stream_sep.player.stem_reader import FADE
from stream_sep.separators.passthrough import PassthroughSeparator

require_package("demucs", "demucs")

import torch

from stream_sep.files.song_models import load_song_model

wait_until = partial(waiting.until, every=0.02)
torch.set_num_threads(1)
RATE = 44100
STEMS = ("vocals", "drums", "bass", "other")
TINY = SeparationSettings(model="tiny", precision="float32", threads=1)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Writes a song of floats and gives its path; the cache is empty."""
    monkeypatch.setenv("STREAM_SEP_CACHE", str(tmp_path / "cache"))

    def write_song(sound, name="song.wav"):
        soundfile.write(tmp_path / name, sound.T, RATE, subtype="FLOAT")
        return tmp_path / name

    return write_song


def decoded(path, song):
    DecodedSongWriter(path).write([song])
    return DecodedSong(path)


def refiner_of(song, tmp_path, model):
    stems = PartialStemFile(tmp_path / "stems", model.stems, song.shape[1], create=not (tmp_path / "stems").exists())
    return SongRefiner(model, decoded(tmp_path / "sound", song), measure_song([song]), stems), stems


@pytest.mark.parametrize("shifts", [0, 2])
def test_windows_in_any_order_come_to_what_separate_makes(tmp_path, shifts):
    song = uniform_noise(9 * RATE + 77) + np.float32(0.02)
    model = load_song_model(SeparationSettings(model="tiny", precision="float32", shifts=shifts))
    parts = model.separate(iter([song]), RATE, measure_song([song]))
    expected = np.concatenate([stems for _, stems in parts], axis=2)
    refiner, stems = refiner_of(song, tmp_path, model)
    order = np.random.default_rng(1)
    steps = 0
    while not stems.ready_until(5 * RATE) > 5 * RATE:
        steps += refiner.step(5 * RATE)
    assert steps <= 2 * max(shifts, 1)
    while steps < 6:
        steps += refiner.step(int(order.integers(song.shape[1])))
    refiner.close()  # and in another process, later
    refiner, stems = refiner_of(song, tmp_path, model)
    while refiner.step(int(order.integers(song.shape[1]))):
        pass
    assert stems.ready.all()
    np.testing.assert_allclose(stems.sound, expected, atol=1e-5)
    refiner.close()


def plan_of(seconds, ready=None):
    frames = seconds * 10 * PIECE
    ready = np.zeros(-(-frames // PIECE), np.uint8) if ready is None else ready
    return RefineSchedule([ShiftedPass(0, -PIECE, SegmentGrid(20 * PIECE, 15 * PIECE))], frames, ready), ready


def finish(plan, ready, window):
    for first, last in plan.finish(window):
        ready[first:last] = 1


def test_upcoming_parts_come_first_and_skipped_ones_last():
    plan, ready = plan_of(20)
    order = []
    while (window := plan.next(90 * PIECE)) is not None:
        order.append(window.index)
        finish(plan, ready, window)
    assert order == [5, 6, 7, 8, 9, 10, 11, 12, 13, 0, 1, 2, 3, 4]
    assert ready.all()


def test_a_slow_machine_computes_what_it_can_finish_in_time():
    plan, _ = plan_of(20)
    assert plan.next(90 * PIECE, spare=40 * PIECE).index == 8
    assert plan.next(190 * PIECE, spare=400 * PIECE).index == 12


def passthrough(song):
    stems = np.zeros((4, *song.shape), np.float32)
    stems[STEMS.index("other")] = song
    return stems


def play_while_refining(path, song, refined, ready, *, tmp_path, model="passthrough"):
    """Play a song whose stems become ready, piece by piece, as in `ready`: (pieces, frames to play)."""
    stems = PartialStemFile(tmp_path / "refined", STEMS, song.shape[1], create=True)
    stems.add(0, refined)
    backend = OfflineBackend(RATE, 128)
    blocks = []
    with PlayEngine(backend, [path], EngineConfig(model=model, worker="inline")) as engine:
        engine.playlist.current.decoder.join()
        engine.transport.refine(engine.playlist.current.number, stems.describe())
        for pieces, frames in ready:
            stems.ready[pieces] = 1
            blocks.append(backend.feed(np.zeros((2, frames), np.float32)))
    stems.close()
    out = np.concatenate(blocks, axis=2)
    return out[0], out[1:]


def test_the_crossfade_of_two_passthroughs_is_not_there(write, tmp_path):
    song = uniform_noise(12 * RATE)
    ready = [(slice(0, 0), 128 * 100), (slice(150, 400), 128 * 2500), (slice(450, 518), 128 * 1500)]
    mix, stems = play_while_refining(write(song), song, passthrough(song), ready, tmp_path=tmp_path)
    frames = mix.shape[1]
    np.testing.assert_array_equal(mix, song[:, :frames])
    np.testing.assert_allclose(stems[STEMS.index("other")], song[:, :frames], atol=1e-7)
    np.testing.assert_allclose(stems.sum(axis=0), song[:, :frames], atol=1e-7)


@pytest.mark.parametrize("model", ["passthrough", "bands"])
def test_refined_stems_take_over_at_the_sample_and_add_up(write, tmp_path, model):
    song = uniform_noise(12 * RATE)
    refined = np.stack([song * np.float32(share) for share in (0.5, 0.25, 0.0, 0.1)])  # they lack a little
    ready = [(slice(0, 0), 128 * 100), (slice(150, 300), 128 * 3000)]
    mix, stems = play_while_refining(write(song), song, refined, ready, tmp_path=tmp_path, model=model)
    np.testing.assert_array_equal(mix, song[:, : mix.shape[1]])
    np.testing.assert_allclose(stems.sum(axis=0), mix, atol=1e-6)
    vocals = stems[STEMS.index("vocals")]
    inside = slice(150 * PIECE + FADE + 256, 300 * PIECE - FADE - 4096)
    np.testing.assert_array_equal(vocals[:, inside], refined[0][:, inside])
    assert not np.allclose(vocals[:, 100 * PIECE : 150 * PIECE], refined[0][:, 100 * PIECE : 150 * PIECE], atol=0.05)
    assert not np.allclose(vocals[:, 300 * PIECE : 350 * PIECE], refined[0][:, 300 * PIECE : 350 * PIECE], atol=0.05)


def test_a_fader_that_leaves_unity_makes_no_step_where_refined_stems_lack_something(write, tmp_path):
    song = np.full((2, 8 * RATE), 0.5, np.float32)
    stems = PartialStemFile(tmp_path / "refined", STEMS, song.shape[1], create=True)
    stems.add(0, np.stack([song * np.float32(0.2)] * 4))
    stems.ready[:] = 1
    backend = OfflineBackend(RATE, 128)
    path = write(song)
    with PlayEngine(backend, [path], EngineConfig(model="passthrough", worker="inline")) as engine:
        engine.playlist.current.decoder.join()
        engine.transport.refine(engine.playlist.current.number, stems.describe())
        engine.set("transport/seek", 1.0)
        backend.feed(np.zeros((2, 12800), np.float32))
        engine.set("stem/vocals/gain_db", -90)
        mix = backend.feed(np.zeros((2, 12800), np.float32))[0]
    stems.close()
    assert np.abs(np.diff(mix[0])).max() < 0.001
    assert mix[0, -1] == pytest.approx(0.4, abs=1e-5)


def played(path, refinement, reports, until):
    config = EngineConfig(model="passthrough")
    with PlayEngine(PacedBackend(RATE), [path], config, refinement=refinement, report=reports.append) as engine:
        wait_until(lambda: until(engine))
        assert engine.stats().restarts == 0
        return engine.transport.position


def test_the_stems_are_kept_where_separate_finds_them_and_play_the_next_time(write, tmp_path):
    path, reports = write(uniform_noise(7 * RATE)), []
    played(
        path, Refinement(TINY), reports, lambda _: any(is_complete(entry.folder) for entry in StemCache().entries())
    )
    assert reports == []
    (entry,) = StemCache().entries()
    assert entry.stems == tuple(sorted(STEMS))
    before = {file: file.stat().st_mtime_ns for file in entry.folder.glob("*.wav")}
    job = SeparationJob(settings=TINY, out=tmp_path / "out", cache_gb=1)
    SongSeparator(job).separate(Track(path, tmp_path.relative_to(tmp_path), "song"), lambda _: None)
    assert {file: file.stat().st_mtime_ns for file in entry.folder.glob("*.wav")} == before
    assert len(StemCache().entries()) == 1
    backend = OfflineBackend(RATE, 128)
    with PlayEngine(
        backend, [path], EngineConfig(model="passthrough", worker="inline"), refinement=Refinement(TINY)
    ) as engine:
        engine.playlist.current.decoder.join()
        stems = backend.feed(np.zeros((2, 128 * 300), np.float32))[1:]
    kept = soundfile.read(entry.folder / "vocals.wav", dtype="float32", always_2d=True)[0].T
    np.testing.assert_array_equal(stems[0], kept[:, : 128 * 300])


def test_stems_that_were_begun_are_gone_on_with_and_end_the_same(write, tmp_path, monkeypatch):
    path, computed = write(uniform_noise(9 * RATE)), []
    step = SongRefiner.step
    monkeypatch.setattr(SongRefiner, "step", lambda self, frame: computed.append(frame) or step(self, frame))
    server, model = RecordingServer(), load_song_model(TINY)
    for sitting in range(2):
        refinery = refiner_loop.RefinerLoop(model, StemCache(), server, queue.SimpleQueue())
        task = refiner_loop.Task(sitting, str(path), str(tmp_path / f"scratch{sitting}"), 0)
        if sitting == 0:
            for _ in range(4):
                refinery._try_step(task)
            (begun,) = StemCache().entries()
            assert (begun.stems, begun.song) == ((), str(path))
            refinery.close()
        else:
            refinery.work(task)
            refinery.close()
    once = len(computed)
    growing = [message["refined"]["growing"] for message in server.messages if "refined" in message]
    assert growing[0] == growing[1]
    (entry,) = StemCache().entries()
    drop_partial(Path(growing[0]))
    assert sorted(file.name for file in entry.folder.iterdir()) == sorted(
        [*(f"{s}.wav" for s in STEMS), "checksums.json", "song.txt"]
    )
    in_two = {stem: soundfile.read(entry.folder / f"{stem}.wav")[0] for stem in STEMS}
    StemCache().clear()
    computed.clear()
    refine_here(path, tmp_path)
    assert once <= len(computed) + 3  # windows at the edge of the final part, and the step that finds nothing left
    for stem in STEMS:
        np.testing.assert_allclose(soundfile.read(entry.folder / f"{stem}.wav")[0], in_two[stem], atol=1e-6)


def test_two_programs_never_write_the_same_stems(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAM_SEP_CACHE", str(tmp_path / "cache"))
    at = ("key", Path("song.wav"), ("a", "b"), 5 * RATE)
    first = PartialStems(StemCache(), *at, tmp_path / "one")
    second = PartialStems(StemCache(), *at, tmp_path / "two")
    assert (first.stems.path, second.stems.path) == (tmp_path / "cache" / "key" / "begun.stems", tmp_path / "two")
    first.stems.close()
    first.close()
    third = PartialStems(StemCache(), *at, tmp_path / "three")
    assert third.stems.path == first.stems.path
    small = PartialStems(StemCache(limit_gb=0.001), "other", *at[1:], tmp_path / "four")
    assert small.stems.path == tmp_path / "four"
    for each in (second, third, small):
        each.stems.close()
        each.close()


def test_begun_stems_of_another_length_are_begun_anew(tmp_path, monkeypatch):
    monkeypatch.setenv("STREAM_SEP_CACHE", str(tmp_path / "cache"))
    for frames in (RATE, 2 * RATE):
        begun = PartialStems(StemCache(), "key", Path("song.wav"), ("a",), frames, tmp_path / "x")
        assert not begun.stems.ready.any()
        begun.stems.mark(0, 3)
        begun.stems.close()
        begun.close()


def test_what_separate_made_plays_from_the_first_frame(write, tmp_path):
    path = write(uniform_noise(5 * RATE))
    separator = SongSeparator(SeparationJob(settings=TINY, out=tmp_path / "out", cache_gb=1))
    separator.separate(Track(path, tmp_path.relative_to(tmp_path), "song"), lambda _: None)
    backend = OfflineBackend(RATE, 128)
    config = EngineConfig(model="passthrough", worker="inline")
    with PlayEngine(backend, [path], config, refinement=Refinement(TINY)) as engine:
        engine.playlist.current.decoder.join()
        stems = backend.feed(np.zeros((2, 12800), np.float32))[1:]
    (entry,) = StemCache().entries()
    for stem in ("vocals", "drums", "bass"):
        kept = soundfile.read(entry.folder / f"{stem}.wav", dtype="float32", always_2d=True)[0].T
        np.testing.assert_array_equal(stems[STEMS.index(stem)], kept[:, :12800])


def test_a_killed_refiner_is_started_again_and_the_music_goes_on(write):
    path, reports = write(uniform_noise(30 * RATE)), []
    config = EngineConfig(model="passthrough")
    refinement = Refinement(TINY)
    with PlayEngine(PacedBackend(RATE), [path], config, refinement=refinement, report=reports.append) as engine:
        wait_until(lambda: engine.controls["transport/refined"] > 0)
        first = engine._songs.refiner.pid
        os.kill(first, signal.SIGKILL)
        wait_until(lambda: engine._songs.refiner.pid not in (None, first))
        share = engine.controls["transport/refined"]
        wait_until(lambda: engine.controls["transport/refined"] > max(share, 0.2))
        assert engine.stats().restarts == 0
    assert any("the refining process exited with code -9" in message for message in reports)


def test_nothing_is_downloaded_without_a_request_and_the_music_plays(write, monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    reports = []
    position = played(
        write(uniform_noise(60 * RATE)), Refinement(SeparationSettings(model="htdemucs")), reports, lambda _: reports
    )
    assert position > 0
    assert "the weights of 'htdemucs' are not on this machine" in reports[0]
    assert "--refined-model" in reports[0]
    assert "playing the live separator's" in reports[0]


def load_two_stems(*, sample_rate=RATE):
    """A separator without most faders."""
    return PassthroughSeparator(sample_rate=sample_rate, stems=("vocals", "other"))


@pytest.mark.parametrize("model", ["bands", "passthrough"])
def test_any_separator_of_songs_refines_as_separate_would(write, tmp_path, model):
    settings = SeparationSettings(model=model)
    path = write(uniform_noise(4 * RATE + 321))
    server, cache = RecordingServer(), StemCache()
    chosen = refiner_process.load_model(
        {"download": True, "settings": {**asdict(settings), "options": {}, "repo": None}}
    )
    for number in range(2):  # the second time they are in the cache
        refinery = refiner_loop.RefinerLoop(chosen, cache, server, queue.SimpleQueue())
        refinery.work(refiner_loop.Task(number, str(path), str(tmp_path / f"scratch{number}"), 0))
        refinery.close()
    assert server.reports == []
    (entry,) = cache.entries()
    model = StreamingSongModel(None, settings)
    made = list(model.separate(open_song(path).blocks(RATE), RATE, None))
    for row, stem in enumerate(model.stems):
        kept = soundfile.read(entry.folder / f"{stem}.wav", dtype="float32")[0].T
        np.testing.assert_allclose(kept, np.concatenate([stems[row] for _, stems in made], axis=1), atol=1e-6)
    assert sum("speed" in message for message in server.messages) > 1
    assert "kept" in server.messages[-2]["refined"]


def test_stems_of_two_bundled_models_and_of_two_versions_are_not_mixed_up(tmp_path, monkeypatch):
    models = [StreamingSongModel(None, SeparationSettings(model=name)) for name in ("bands", "passthrough")]
    first, second = map(refiner_loop.identity_of, models)
    assert first != second
    known, settings = ModelIdentityCache(tmp_path), models[0].settings
    known.put(settings, first)
    assert known.get(settings) == first
    for module in (refiner_loop, model_identities):
        monkeypatch.setattr(module, "bundled_version", lambda: "9.9")
    assert refiner_loop.identity_of(models[0]) != first
    assert known.get(settings) is None


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (f"{__name__}:load_two_stems", "separates into vocals, other, without drums, bass, which have faders"),
        ("nonsense", "no model 'nonsense'"),
    ],
)
def test_a_model_that_cannot_refine_is_refused_with_a_message(model, words):
    spec = {"download": True, "settings": {"model": model, "repo": None}}
    with pytest.raises(SeparatorError, match=words):
        refiner_process.load_model(spec)


class RecordingServer:
    """Collects the reports and messages of a refining process."""

    def __init__(self):
        self.reports, self.messages = [], []
        self.report, self.send = self.reports.append, self.messages.append


def refine_here(path, tmp_path):
    server, tasks = RecordingServer(), queue.SimpleQueue()
    refinery = refiner_loop.RefinerLoop(load_song_model(TINY), StemCache(), server, tasks)
    refinery.work(refiner_loop.Task(7, str(path), str(tmp_path / "scratch"), 0))
    refinery.close()
    return server


def test_a_cache_that_cannot_be_written_is_reported_and_the_stems_play_all_the_same(write, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    server = refine_here(write(uniform_noise(3 * RATE)), tmp_path)
    assert "the stems are not cached" in server.reports[0]
    assert "cache" in server.reports[0]
    growing = next(message["refined"] for message in server.messages if "refined" in message)
    stems = open_stems(growing)
    assert stems.ready.all()
    stems.close()


def test_a_song_that_ends_early_is_noted(write, tmp_path):
    path = write(uniform_noise(6 * RATE))
    path.write_bytes(path.read_bytes()[: 8 * 3 * RATE])
    (note,) = [message["note"] for message in refine_here(path, tmp_path).messages if "note" in message]
    assert "ends after 3.0 s, of 6.0 s" in note
    noted = []
    Refiner(Refinement(TINY), RATE, lambda *_: None, note=noted.append)._take({"note": note})
    assert noted == [note]


def test_stems_for_which_there_is_no_room_are_not_refined(write, tmp_path, monkeypatch):
    path = write(uniform_noise(3 * RATE))
    monkeypatch.setattr(disk_space, "free_bytes", lambda _: 2 * 8 * 3 * RATE)  # for the song, not for four stems
    server = refine_here(path, tmp_path)
    assert "are needed" in server.reports[0]
    assert "--no-refine" in server.reports[0]
    assert server.messages == [{"number": 7, "finished": True}]


def test_silence_is_not_refined(write, tmp_path):
    server = refine_here(write(np.zeros((2, RATE), np.float32)), tmp_path)
    assert server.messages == [{"number": 7, "finished": True}]


def test_stems_lost_while_they_play_are_reported_once_and_the_live_separator_goes_on(write, tmp_path):
    song = uniform_noise(4 * RATE)
    files = []
    for stem in STEMS:
        files.append(tmp_path / f"{stem}.wav")
        soundfile.write(files[-1], 0.25 * song.T, RATE, subtype="FLOAT")
    backend, reports = OfflineBackend(RATE, 128), []
    with PlayEngine(
        backend, [write(song)], EngineConfig(model="passthrough", worker="inline"), report=reports.append
    ) as engine:
        engine.playlist.current.decoder.join()
        link = {"kept": [str(file) for file in files], "stems": list(STEMS)}
        engine.transport.refine(engine.playlist.current.number, link)
        backend.feed(np.zeros((2, 128), np.float32))
        for stems in engine._songs.worker._renderer._timeline._songs.values():
            stems.refined._files[0].close()
        mix = backend.feed(np.zeros((2, 128 * 1200), np.float32))[0]
    np.testing.assert_array_equal(mix, song[:, 128 : 128 * 1201])
    assert len([message for message in reports if "damaged" in message]) == 1


def test_slow_machine_is_reported_once():
    reports = []
    refiner = Refiner(Refinement(TINY), RATE, lambda *_: None, reports.append)
    for speed in (0.5, 0.6, 0.7):
        refiner._take({"number": 0, "speed": speed, "frame": 0})
    assert len(reports) == 1
    assert "refining runs at 0.6x real time" in reports[0]


def test_model_cache_detects_changed_weights(tmp_path):
    memory = ModelIdentityCache(tmp_path / "cache")
    (tmp_path / "weights").mkdir()
    settings = SeparationSettings(model="mine", repo=tmp_path / "weights")
    assert memory.get(settings) is None
    memory.put(settings, "one")
    assert memory.get(settings) == "one"
    assert memory.get(SeparationSettings(model="mine", shifts=3, repo=tmp_path / "weights")) is None
    (tmp_path / "weights" / "mine.th").write_bytes(b"new")
    assert memory.get(settings) is None


def test_stems_in_the_making_are_read_where_they_are_ready(tmp_path):
    growing = PartialStemFile(tmp_path / "x", ("a", "b"), 10 * PIECE + 5, create=True)
    growing.add(PIECE, np.ones((2, 2, PIECE), np.float32))
    growing.ready[1:3] = 1
    seen = open_stems(growing.describe())
    assert [seen.ready_until(at) for at in (0, PIECE, 2 * PIECE + 9, 3 * PIECE)] == [
        0,
        3 * PIECE,
        3 * PIECE,
        3 * PIECE,
    ]
    growing.ready[:] = 1
    assert seen.ready_until(9 * PIECE) > 100 * PIECE
    assert seen.read(PIECE - 1, 3)[1, 1].tolist() == [0, 1, 1]
    assert seen.read(10 * PIECE + 4, 3).shape == (2, 2, 3)
    assert seen.read(-2, 3).shape == (2, 2, 3)
    for stems in (growing, seen):
        stems.close()


@pytest.mark.parametrize("rate", [48000, 96000, 22050])
def test_stems_made_at_another_rate_lie_where_they_belong(tmp_path, rate):
    rng = np.random.default_rng(2)
    smooth = np.stack([np.convolve(row, np.hanning(64) / 32, "same") for row in rng.standard_normal((2, 4 * RATE))])
    growing = PartialStemFile(tmp_path / "x", ("a",), 4 * RATE, create=True)
    growing.add(0, smooth[None].astype(np.float32))
    growing.ready[: 2 * RATE // PIECE] = 1
    expected = soxr.resample(smooth.T.astype(np.float32), RATE, rate).T
    stems = ResampledStems(growing, RATE, rate)
    assert 1.2 < stems.ready_until(0) / rate < 2
    assert stems.ready_until(3 * rate) == 3 * rate
    starts = [50, 400, 5000, 5000 + 333, rate + 7]
    got = np.concatenate([stems.read(start, 333) for start in starts], axis=2)[0]
    expected_blocks = np.concatenate([expected[:, start : start + 333] for start in starts], axis=1)
    np.testing.assert_allclose(got, expected_blocks, atol=2e-4)
    growing.ready[:] = 1
    assert stems.ready_until(3 * rate) > 100 * rate
    stems.close()


def test_a_song_is_refined_for_a_device_of_another_rate(write, tmp_path):
    song = np.repeat(np.sin(np.arange(6 * RATE) / 20)[None], 2, axis=0).astype(np.float32) / 2
    stems = PartialStemFile(tmp_path / "refined", STEMS, song.shape[1], create=True)
    stems.add(0, passthrough(song))
    stems.ready[:] = 1
    backend = OfflineBackend(48000, 128)
    path = write(song)
    with PlayEngine(backend, [path], EngineConfig(model="passthrough", worker="inline")) as engine:
        engine.playlist.current.decoder.join()
        engine.transport.refine(engine.playlist.current.number, {**stems.describe(), "rate": RATE})
        engine.set("transport/seek", 1.0)
        mix, *stems_played = backend.feed(np.zeros((2, 128 * 1000), np.float32))
    stems.close()
    other = stems_played[STEMS.index("other")]
    np.testing.assert_allclose(other, mix, atol=1e-6)
    drums = stems_played[STEMS.index("drums")]
    assert np.abs(drums).max() < 1e-6


def test_a_refiner_that_is_stopped_while_it_keeps_stems_leaves_nothing_half_written(write, tmp_path):
    write(uniform_noise(10))
    refiner = Refiner(Refinement(TINY), RATE, lambda *_: None)
    folder = tmp_path / "cache" / "key"
    for name, kept in (("vocals.wav", False), ("drums.part.wav", False), ("song.txt", True)):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
        if kept:
            (folder / "drums.part.wav").write_text("x")
        refiner._take({"keeping": str(folder)})
        refiner._sweep()
        assert [path.name for path in folder.glob("*")] == (["song.txt"] if kept else [])


def test_a_song_too_long_to_refine_is_reported(write, tmp_path, monkeypatch):
    monkeypatch.setattr(refiner_loop, "_MAX_BYTES", 1e6)
    server = refine_here(write(uniform_noise(RATE)), tmp_path)
    assert "it is too long" in server.reports[0]
    assert server.messages == [{"number": 7, "finished": True}]
