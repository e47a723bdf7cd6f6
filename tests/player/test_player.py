"""Songs played with faders: at unity the file itself, exact jumps, loops without a click, no gap in a list."""

import contextlib
import os
import signal
import threading

import numpy as np
import pytest
import soundfile
import waiting
from noise import uniform_noise
from requirements import require_package

from stream_sep import AudioFileError, EngineConfig, OfflineBackend, PacedBackend, load_separator
from stream_sep.control.presets.library import preset_of
from stream_sep.evaluation.bench_player import measure_play
from stream_sep.files import disk_space
from stream_sep.files.song import Song
from stream_sep.player import time_stretch
from stream_sep.player.decoded_song import DecodedSong, DecodedSongWriter
from stream_sep.player.engine import PlayEngine
from stream_sep.player.playlist import Playlist
from stream_sep.player.render_ahead import FADE_SECONDS
from stream_sep.player.streamed_stems import SHORT_WARM_UP, StreamedStems

wait_until = waiting.until

RATE = 44100
FADE = round(FADE_SECONDS * RATE)
MODELS = ["passthrough", "bands"]


def test_playlist_closes_although_its_disk_does_not_respond(write, monkeypatch):
    path, released = write(uniform_noise(RATE)), threading.Event()

    def hang(*_arguments):
        released.wait(100)
        yield from ()

    monkeypatch.setattr(Song, "blocks", hang)
    playlist = Playlist([path], RATE)
    thread = threading.Thread(target=playlist.close, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive()
    assert not playlist.folder.exists()
    released.set()


@pytest.fixture
def write(tmp_path):
    """Writes a song of floats and gives its path."""

    def write_song(sound, name="song.wav", rate=RATE):
        soundfile.write(tmp_path / name, sound.T, rate, subtype="FLOAT")
        return tmp_path / name

    return write_song


def offline(*songs, model="passthrough", block=128, report=print):
    backend = OfflineBackend(RATE, block)
    engine = PlayEngine(backend, songs, EngineConfig(model=model, worker="inline"), report=report)
    for song in (engine.playlist.current, engine.playlist.following):
        if song is not None:
            song.decoder.join()
    return backend, engine


def play(backend, frames):
    """Return the next ``frames`` of the mix and of the stems."""
    out = backend.feed(np.zeros((2, frames), np.float32))
    return out[0], out[1:]


def find(part, song):
    """The frame of ``song`` at which ``part`` lies."""
    hits = np.flatnonzero(song[0] == part[0, 0])
    found = [at for at in hits if np.array_equal(song[:, at : at + part.shape[1]], part)]
    assert len(found) == 1, f"found at {found}"
    return found[0]


def decoded(path, song):
    DecodedSongWriter(path).write([song])
    return DecodedSong(path)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("block", [16, 128, 1025])
def test_at_unity_the_file_plays_from_its_first_frame_to_its_last(write, model, block):
    song = uniform_noise(40000)
    backend, engine = offline(write(song), model=model, block=block)
    with engine:
        mix, stems = play(backend, 60 * 1025)
    np.testing.assert_array_equal(mix[:, :40000], song)
    np.testing.assert_allclose(stems.sum(axis=0)[:, :40000], song, atol=1e-6)
    assert not mix[:, 40000:].any()
    assert engine.stats().late_hops == 0
    assert engine.latency.total == 0


def test_the_stems_meet_the_playhead_though_the_separator_is_late(write):
    song = uniform_noise(20000)
    backend = OfflineBackend(RATE, 128)
    config = EngineConfig(
        model="passthrough", options={"hop": 192, "latency": 777, "carrier": "vocals"}, worker="inline"
    )
    with PlayEngine(backend, [write(song)], config) as engine:
        _, stems = play(backend, 128 * 150)
        np.testing.assert_array_equal(stems[engine.stems.index("vocals")], song[:, : 128 * 150])
        engine.set("transport/seek", 0.1)
        _, stems = play(backend, 4096)
    vocals = stems[engine.stems.index("vocals")]
    at = find(vocals[:, 2000:2400], song)
    np.testing.assert_array_equal(vocals[:, 2000:], song[:, at : at + 2096])


def test_a_fader_is_audible_in_the_next_block(write):
    backend, engine = offline(write(np.full((2, RATE), 0.5, np.float32)))
    with engine:
        play(backend, 1280)
        engine.set("stem/other/gain_db", -20)
        mix, _ = play(backend, 1280)
    assert mix[0, 0] < 0.5
    np.testing.assert_allclose(mix[:, 441:], 0.05, atol=1e-6)


@pytest.mark.parametrize("model", MODELS)
def test_a_seek_is_exact_to_the_sample_and_soon(write, model):
    song = uniform_noise(6 * RATE)
    backend, engine = offline(write(song), model=model)
    with engine:
        play(backend, 12800)
        engine.set("transport/seek", 3.0)
        mix, stems = play(backend, 12800)
        assert engine.controls["transport/seek"] == -1
    jump = 3 * RATE - find(mix[:, 6000:6300], song) + 6000  # where frame 0 of the target would play
    assert 0 < jump < 0.05 * RATE
    np.testing.assert_array_equal(mix[:, :jump], song[:, 12800 : 12800 + jump])
    after = jump + FADE
    np.testing.assert_array_equal(mix[:, after:], song[:, 3 * RATE + FADE : 3 * RATE + 12800 - jump])
    np.testing.assert_allclose(stems.sum(axis=0), mix, atol=1e-6)


def test_a_jump_does_not_click(write):
    song = np.repeat(np.r_[np.full(2 * RATE, 0.5), np.full(2 * RATE, -0.5)][None], 2, axis=0).astype(np.float32)
    backend, engine = offline(write(song))
    with engine:
        play(backend, 12800)
        engine.set("transport/seek", 3.0)
        mix, _ = play(backend, 12800)
    steps = np.abs(np.diff(mix[0]))
    assert mix[0, 0] == 0.5
    assert mix[0, -1] == -0.5
    assert steps.max() < 1.1 / FADE


def test_separator_gets_the_frames_before_the_target_of_a_seek(write):
    song = uniform_noise(4 * RATE)
    path = write(song)
    backend, engine = offline(path, model="bands")
    with engine:
        _, whole = play(backend, 128 * 1100)
        engine.set("transport/seek", 2.0)
        mix, stems = play(backend, 12800)
    at = find(mix[:, 6000:6300], song)
    same = whole[:, :, at : at + 6000] - stems[:, :, 6000:12000]
    assert np.square(same).sum() < 0.02 * np.square(stems[:, :, 6000:12000]).sum()


def test_a_pause_is_silence_and_goes_on_where_it_was(write):
    song = uniform_noise(2 * RATE)
    backend, engine = offline(write(song))
    with engine:
        play(backend, 12800)
        engine.set("transport/play", value=False)
        rest, _ = play(backend, 12800)
        engine.set("transport/play", value=True)
        mix, _ = play(backend, 12800)
    assert not rest[:, 2000:].any()
    begun = 12800 + int(np.argmax(rest[0] != song[0, 12800:25600]))  # the frame at which the fade to silence began
    resumed = find(mix[:, 4000:4300], song)
    silent = int(np.flatnonzero(mix[0])[0])
    assert resumed - (4000 - silent) == begun


def test_a_loop_repeats_with_the_period_of_its_ends(write):
    song = uniform_noise(4 * RATE)
    backend, engine = offline(write(song))
    with engine:
        engine.controls.update({"transport/loop/start": 0.5, "transport/loop/end": 0.9})
        engine.set("transport/loop/on", value=True)
        engine.set("transport/seek", 0.4)
        mix, stems = play(backend, 128 * 1000)
    period = round(0.9 * RATE) - round(0.5 * RATE)
    steady = mix[:, 30000:]
    np.testing.assert_array_equal(steady[:, period : 5 * period], steady[:, : 4 * period])
    assert find(mix[:, 24000:24300], song) < 0.9 * RATE
    np.testing.assert_allclose(stems.sum(axis=0), mix, atol=1e-6)


def test_a_loop_wraps_without_a_click(write):
    ramp = np.linspace(-0.9, 0.9, 2 * RATE, dtype=np.float32)
    backend, engine = offline(write(np.stack([ramp, ramp])))
    with engine:
        engine.controls.update({"transport/loop/end": 1.5})
        engine.set("transport/loop/on", value=True)
        mix, _ = play(backend, 128 * 1200)
    assert np.abs(np.diff(mix[0])).max() < 2 / FADE


def test_songs_follow_each_other_without_a_gap(write):
    first, second = uniform_noise(30001), uniform_noise(30000, seed=1)
    backend, engine = offline(write(first, "1.wav"), write(second, "2.wav"))
    engine.transport.tick()
    with engine:
        mix, _ = play(backend, 128 * 300)
        engine.transport.tick()
        assert engine.controls["transport/track"] == 2
        assert engine.controls["transport/title"] == "2.wav"
        rest, _ = play(backend, 128 * 300)
        engine.transport.tick()
        assert engine.source_ended
        assert not engine.controls["transport/play"]
    played = np.concatenate([mix, rest], axis=1)
    np.testing.assert_array_equal(played[:, :30001], first)
    np.testing.assert_array_equal(played[:, 30001:60001], second)
    assert not played[:, 60001:].any()


def test_next_and_previous_choose_songs(write):
    songs = [uniform_noise(3 * RATE, seed) for seed in range(3)]
    backend, engine = offline(*(write(song, f"{number}.wav") for number, song in enumerate(songs)))

    def playing():
        engine.playlist.current.decoder.join()
        mix, _ = play(backend, 12800)
        return next(n for n, song in enumerate(songs) if (song[0] == mix[0, 9000]).any())

    with engine:
        assert playing() == 0
        engine.set("transport/next", value=True)
        assert playing() == 1
        assert engine.controls["transport/next"] is False
        engine.set("transport/track", 3)
        assert playing() == 2
        engine.set("transport/previous", value=True)
        assert playing() == 1
        engine.set("transport/next", value=True)
        engine.set("transport/next", value=True)
        engine.set("transport/next", value=True)  # there is none: the last goes on
        assert playing() == 2
        assert engine.controls["transport/track"] == 3


def test_a_song_of_another_rate_is_resampled(write):
    seconds = np.arange(48000) / 48000
    tone = (0.5 * np.sin(2 * np.pi * 441 * seconds) * np.ones((2, 1))).astype(np.float32)
    backend, engine = offline(write(tone, rate=48000))
    with engine:
        mix, _ = play(backend, 128 * 300)
    expected = 0.5 * np.sin(2 * np.pi * 441 * np.arange(128 * 300) / RATE)
    np.testing.assert_allclose(mix[0, 1000:-1000], expected[1000:-1000], atol=1e-3)


def test_a_broken_song_is_reported_and_left_out(write, tmp_path):
    song = uniform_noise(20000)
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    messages = []
    backend, engine = offline(tmp_path / "broken.wav", write(song), report=messages.append)
    with engine:
        mix, _ = play(backend, 12800)
    np.testing.assert_array_equal(mix, song[:, :12800])
    assert "broken.wav" in messages[0]
    with pytest.raises(AudioFileError, match=r"broken\.wav"):
        Playlist([tmp_path / "broken.wav"], RATE)


def test_a_song_that_ends_early_is_played_and_reported_once(write):
    song, messages = uniform_noise(3 * RATE), []
    path = write(song)
    path.write_bytes(path.read_bytes()[: 8 * RATE])
    with contextlib.closing(Playlist([path, path], RATE, messages.append)) as playlist:
        playlist.current.decoder.join()
    assert "ends after 1.0 s, of 3.0 s" in messages[0]
    messages.clear()
    backend, engine = offline(path, path, report=messages.append)
    with engine:
        play(backend, 12800)
        wait_until(lambda: engine.playlist.following is not None or engine.playlist.prepare_next())
        engine.playlist.following.decoder.join()
    assert len(messages) == 1


def test_a_song_for_which_there_is_no_room_is_left_out_before_it_is_decoded(write, monkeypatch):
    long, short, messages = write(uniform_noise(4 * RATE)), write(uniform_noise(RATE), "short.wav"), []
    monkeypatch.setattr(disk_space, "free_bytes", lambda _: 2 * 8 * RATE)
    with contextlib.closing(Playlist([long, short], RATE, messages.append)) as playlist:
        assert playlist.current.song.path == short
    assert "are needed" in messages[0]
    assert "TMPDIR" in messages[0]
    with pytest.raises(AudioFileError, match="are needed"):
        Playlist([long], RATE)


def test_a_song_longer_than_its_header_states_is_decoded_while_there_is_room(tmp_path, monkeypatch):
    free = 1_000_000
    monkeypatch.setattr(disk_space, "free_bytes", lambda _: free - (tmp_path / "a.sound").stat().st_size)
    writer = DecodedSongWriter(tmp_path / "a.sound")
    with pytest.raises(AudioFileError, match="are needed"):
        writer.write(uniform_noise(1 << 16) for _ in range(3))
    with contextlib.closing(DecodedSong(writer.path)) as song:
        assert song.frames == 1 << 16


def test_decoded_song_is_deleted_and_its_end_is_known(write):
    backend, engine = offline(write(uniform_noise(RATE)))
    folder = engine.playlist.folder
    with engine:
        play(backend, 12800)
        assert list(folder.iterdir())
    assert not folder.exists()
    assert engine.transport.position == pytest.approx(12800 / RATE)


def test_a_stored_preset_leaves_the_transport_alone(write):
    _, engine = offline(write(uniform_noise(1000)))
    with engine:
        assert not [path for path in preset_of("mine", engine.controls).values if path.startswith("transport/")]


def test_killed_player_is_back_before_it_is_audible(write):
    messages = []
    config = EngineConfig(model="passthrough")
    with PlayEngine(PacedBackend(RATE), [write(uniform_noise(20 * RATE))], config, report=messages.append) as engine:
        wait_until(lambda: engine.transport.position > 0.2)
        engine.set("transport/seek", 5.0)
        wait_until(lambda: engine.transport.position > 5)
        os.kill(engine.worker_pid, signal.SIGKILL)
        wait_until(lambda: engine.stats().restarts == 1)
        back = engine.transport.position
        engine.set("transport/seek", 1.0)
        wait_until(lambda: 1 <= engine.transport.position < 5)
    assert 5 < back < 15
    assert "ended with code" in messages[0]


def level_at(sound, hertz):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound))))
    return spectrum[round(hertz * len(sound) / RATE)] / len(sound)


@pytest.fixture
def stretched():
    """Rubber Band, or a skip."""
    require_package("pylibrb", "stretch")


@pytest.mark.usefixtures("stretched")
@pytest.mark.parametrize(("speed", "pitch", "frequency"), [(0.5, 0, 440), (1.5, 0, 440), (1, 12, 880), (2, -12, 220)])
def test_speed_and_pitch_change_alone(write, speed, pitch, frequency):
    seconds = np.arange(4 * RATE) / RATE
    tone = (0.5 * np.sin(2 * np.pi * 440 * seconds) * np.ones((2, 1))).astype(np.float32)
    backend, engine = offline(write(tone))
    with engine:
        engine.controls.update({"transport/speed": speed, "transport/pitch": pitch})
        mix, stems = play(backend, RATE // 128 * 128)
        engine.transport.tick()
        assert engine.controls["transport/position"] == pytest.approx(speed * 344 * 128 / RATE, abs=0.01)
    levels = [level_at(mix[0, 8192 : 8192 + 22050], hertz) for hertz in (220, 440, 880)]
    assert int(np.argmax(levels)) == (220, 440, 880).index(frequency)
    assert max(levels) == pytest.approx(0.5 / 4, rel=0.2)
    np.testing.assert_allclose(stems.sum(axis=0), mix, atol=1e-6)


@pytest.mark.usefixtures("stretched")
@pytest.mark.parametrize("speed", [0.8, 1.25])
def test_stretched_stems_stay_together_and_at_their_place(write, speed):
    song = np.zeros((2, 6 * RATE), np.float32)
    song[:, 2 * RATE :: RATE // 2] = 0.9
    song[:, 1 :: RATE // 2] = song[:, :: RATE // 2]
    backend, engine = offline(write(song))
    with engine:
        engine.controls.update({"transport/speed": speed, "transport/seek": 1.5})
        mix, _ = play(backend, 128 * 1400)
    clicks = np.flatnonzero(np.abs(mix[0]) > 0.5 * np.abs(mix[0]).max())
    first = clicks[0]
    assert first == pytest.approx(0.5 * RATE / speed, abs=0.02 * RATE)
    again = clicks[clicks > first + RATE // 10][0]
    assert again - first == pytest.approx(0.5 * RATE / speed, abs=200)


def test_without_rubber_band_the_speed_goes_back_and_the_reason_is_shown(write, monkeypatch):
    monkeypatch.setattr(time_stretch.importlib.util, "find_spec", lambda _: None)
    messages = []
    _, engine = offline(write(uniform_noise(1000)), report=messages.append)
    with engine:
        engine.set("transport/speed", 0.5)
        assert engine.controls["transport/speed"] == 1
    assert len(messages) == 1
    assert "speed and pitch need Rubber Band" in messages[0]
    assert "pip install" in messages[0]


def test_after_a_jump_the_separator_soon_has_as_much_context_as_without_one(write):
    rng = np.random.default_rng(5)
    rises = np.repeat(rng.uniform(0.1, 1, 80), RATE // 8)[: 8 * RATE]
    song = (uniform_noise(8 * RATE) * rises).astype(np.float32)
    path = write(song)
    backend, engine = offline(path, model="bands")
    with engine:
        _, whole = play(backend, 128 * 2000)
        engine.set("transport/seek", 3.0)
        mix, stems = play(backend, 12800)
    at = find(mix[:, 6000:6300], song)
    error = np.square(whole[:, :, at : at + 6000] - stems[:, :, 6000:12000]).sum()
    streamed = StreamedStems(load_separator("bands", RATE))
    sound = decoded(path.with_suffix(".sound"), song)
    streamed.seek(sound, at, SHORT_WARM_UP)
    short = np.square(whole[:, :, at : at + 6000] - streamed.read(6000)).sum()
    sound.close()
    assert error < 0.5 * short


def test_the_bench_measures_sound_and_jumps(write):
    figures = measure_play(write(uniform_noise(4 * RATE)), "passthrough", {}, seeks=3)
    assert figures["first_sound_ms"] > 0
    assert 0 < figures["seek_to_stems_ms"]["p50"] <= figures["seek_to_stems_ms"]["max"]
    assert figures["counters"]["restarts"] == 0
    assert figures["refined_edge"] == []


def test_a_song_that_is_still_being_decoded_is_waited_for_in_silence(write, monkeypatch):
    song, opened = uniform_noise(3 * RATE), threading.Event()
    blocks = Song.blocks

    def slowly(self, *arguments):
        for block in blocks(self, *arguments):
            yield block[:, :50000]
            opened.wait()
            yield block[:, 50000:]

    monkeypatch.setattr(Song, "blocks", slowly)
    backend = OfflineBackend(RATE, 128)
    with PlayEngine(backend, [write(song)], EngineConfig(model="passthrough", worker="inline")) as engine:
        first, _ = play(backend, 128 * 600)
        opened.set()
        engine.playlist.current.decoder.join()
        then, _ = play(backend, 128 * 600)
        assert engine.stats().late_hops == 0
    played = np.concatenate([first, then], axis=1)
    silent = np.flatnonzero(~played.any(axis=0))
    gap = slice(silent[0], silent[-1] + 1)
    assert not played[:, gap].any()
    resumed = played[:, gap.stop + FADE :]
    begun = find(resumed[:, :300], song)
    np.testing.assert_array_equal(resumed, song[:, begun : begun + resumed.shape[1]])
    np.testing.assert_array_equal(played[:, : gap.start - 1], song[:, : gap.start - 1])
    assert begun - FADE - gap.start <= 1


def test_a_loop_that_lies_behind_begins_at_once(write):
    song = uniform_noise(3 * RATE)
    backend, engine = offline(write(song))
    with engine:
        play(backend, 128 * 700)
        engine.controls.update({"transport/loop/start": 0.5, "transport/loop/end": 1.0, "transport/loop/on": True})
        mix, _ = play(backend, 12800)
    assert 0.5 * RATE < find(mix[:, 6000:6300], song) < RATE


@pytest.mark.usefixtures("jackd")
def test_jack_plays_songs_and_seeks(write):
    from stream_sep.backends.jack import JackBackend  # noqa: PLC0415 - the fixture names the missing package

    with PlayEngine(JackBackend(), [write(uniform_noise(20 * RATE))], EngineConfig(model="passthrough")) as engine:
        wait_until(lambda: engine.transport.position > 0.1)
        engine.set("transport/seek", 10.0)
        wait_until(lambda: engine.transport.position > 10.1)
        assert engine.controls["engine/device"] == "jack"
        assert max(engine.peaks()["mix"]) > 0.1


@pytest.mark.usefixtures("portaudio_on_jack")
def test_a_sound_card_plays_songs_without_an_input(write):
    from stream_sep.backends.portaudio import PortAudioBackend  # noqa: PLC0415 - the fixture names the missing package

    backend = PortAudioBackend(playback_only=True)
    with PlayEngine(backend, [write(uniform_noise(20 * RATE))], EngineConfig(model="passthrough")) as engine:
        wait_until(lambda: engine.transport.position > 0.2)
        assert max(engine.peaks()["mix"]) > 0.1
