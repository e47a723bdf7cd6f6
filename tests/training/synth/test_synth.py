"""The sampled band: notes are on their stem, in tune and in time, and repeat with the seed."""

import json

import mido
import numpy as np
import pytest
import soundfile
from requirements import needs_packages, require

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.protocols import STEMS
from stream_sep.training.data.archives import pack_caches, unpack
from stream_sep.training.data.cache import RATE, build_cache, check_cache, read_index
from stream_sep.training.data.layouts import find_stem_songs
from stream_sep.training.synth.arrangement import arpeggio, bass_line, chords, pad, strum
from stream_sep.training.synth.drums import find_kits
from stream_sep.training.synth.general_midi import find_soundfonts, play_program
from stream_sep.training.synth.generate import make_songs
from stream_sep.training.synth.samples import Instrument, find_instruments, play
from stream_sep.training.synth.score import Note, Score, read_score
from stream_sep.training.synth.voice import Manner, find_singers, sing

needs_world = needs_packages("train", "pyworld", "pedalboard")


def tone(hertz, seconds=1.0):
    t = np.arange(int(seconds * RATE)) / RATE
    return (0.3 * np.sin(2 * np.pi * hertz * t) * np.exp(-t)).astype(np.float32)


def vowel(hertz, seconds=1.2):
    t = np.arange(int(seconds * RATE)) / RATE
    sound = sum(np.sin(2 * np.pi * hertz * k * t) / k for k in range(1, 30) if hertz * k < 8000)
    return (0.1 * sound * np.minimum(1, np.minimum(t, seconds - t) * 20)).astype(np.float32)


def write(path, sound):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, RATE)


def hertz(pitch):
    return 440 * 2 ** ((pitch - 69) / 12)


@pytest.fixture(scope="module")
def samples(tmp_path_factory):
    """A whole library in miniature."""
    folder = tmp_path_factory.mktemp("samples")
    song = mido.MidiFile(ticks_per_beat=480)
    for name, pitches in (("MELODY", (72, 74, 76, 77)), ("BRIDGE", (60, 64)), ("PIANO", (48, 52, 55))):
        track = mido.MidiTrack(
            [mido.MetaMessage("set_tempo", tempo=500000), mido.MetaMessage("track_name", name=name)]
        )
        for number in range(120):
            pitch = pitches[number % len(pitches)]
            track.append(mido.Message("note_on", note=pitch, velocity=90))
            track.append(mido.Message("note_off", note=pitch, time=480))
        song.tracks.append(track)
    (folder / "pop909").mkdir()
    song.save(folder / "pop909/001.mid")
    noise = np.random.default_rng(0).standard_normal(4000) * np.exp(-np.arange(4000) / 500)
    for role in ("kick", "snare", "crash", "ride"):
        for number in (1, 2):
            write(folder / f"drumkit/{role}/{role}{number}.ogg", 0.2 * number * noise)
    for pitch in (36, 43):
        write(folder / f"bass/one/m{pitch:03d}_f.ogg", tone(hertz(pitch)))
    write(folder / "guitar/one/m060.ogg", tone(hertz(60)))
    write(folder / "keys/one/m060.ogg", tone(hertz(60)))
    for number in range(2):
        write(folder / f"singing/one/a{number}.ogg", vowel(hertz(60 + number)))
    return folder


def pitch_of(sound):
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 19))
    return 69 + 12 * np.log2(np.argmax(spectrum) / (1 << 19) * RATE / 440)


def test_notes_sound_at_their_time_and_pitch(samples):
    (bass,) = find_instruments(samples / "bass")
    sound = play(bass, [Note(0.5, 0.4, 40, 0.9)], 2.0, np.random.default_rng(0))
    assert not sound[:, : int(0.499 * RATE)].any()
    assert sound[:, int(0.55 * RATE)].any() or sound[:, int(0.5501 * RATE)].any()
    assert not sound[:, int(1.0 * RATE) :].any()
    assert pitch_of(sound[0, int(0.5 * RATE) : int(0.9 * RATE)]) == pytest.approx(40, abs=0.3)


def test_louder_notes_take_louder_recordings(tmp_path):
    for layer, level in ((1, 0.1), (2, 0.5), (3, 0.9)):
        write(tmp_path / f"x/m060_v{layer:02d}.ogg", np.full(RATE // 4, level))
    (instrument,) = find_instruments(tmp_path)
    peaks = [
        np.abs(play(instrument, [Note(0, 0.3, 60, loud)], 1, np.random.default_rng(0))).max() for loud in (0.1, 0.99)
    ]
    assert peaks[1] > 4 * peaks[0]
    assert isinstance(instrument, Instrument)


def test_a_score_is_cut_moved_and_never_left_empty(samples):
    scores = [read_score(samples / "pop909/001.mid", np.random.default_rng(seed), 10.0) for seed in range(20)]
    for score in scores:
        assert set(score.tracks) == {"melody", "bridge", "piano"}
        assert all(0 <= note.start < 10 for notes in score.tracks.values() for note in notes)
        assert 0.3 < score.beat < 0.7
    assert len({score.notes("melody")[0].pitch for score in scores}) > 3


def test_players_follow_the_harmony():
    notes = tuple(Note(2.0 * n, 2.0, pitch) for n in range(4) for pitch in (48 + n, 52 + n, 55 + n))
    score = Score(8.0, 0.5, {"piano": tuple(sorted(notes, key=lambda note: note.start))})
    assert chords(score)[0][1] == (48, 52, 55)
    for seed in range(8):
        random = np.random.default_rng(seed)
        bass = bass_line(score, random)
        assert {round(note.pitch - 48 - (note.start + 0.1) // 2) % 12 for note in bass} <= {0, 4, 7}
        assert all(note.pitch <= 62 for note in bass)
        for part in (strum(score, random), arpeggio(score, random), pad(score)):
            assert len(part) > 8


@needs_world
def test_the_singer_hits_the_notes(samples):
    (singer,) = find_singers(samples / "singing")
    plain = Manner(formant=1.0, vibrato_cents=0, vibrato_hz=5, glide=0.02, off_cents=0)
    melody = [Note(0.2, 1.0, 62), Note(1.5, 1.0, 65)]
    sound = sing(singer, melody, 3.0, plain, np.random.default_rng(0))[0]
    assert np.abs(sound[: int(0.15 * RATE)]).max() < 1e-3
    assert np.abs(sound[int(1.3 * RATE) : int(1.45 * RATE)]).max() < 1e-2
    for note in melody:
        found = pitch_of(sound[int((note.start + 0.3) * RATE) : int((note.start + 0.8) * RATE)])
        assert found % 12 == pytest.approx(note.pitch % 12, abs=0.2)


@needs_world
def test_songs_are_the_same_for_the_same_seed_and_none_is_like_another(samples, tmp_path, monkeypatch):
    monkeypatch.setattr("stream_sep.training.synth.song.find_soundfonts", list)
    for out in ("one", "two"):
        make_songs(samples, tmp_path / out, songs=2, seed=3, seconds=4, report=lambda _name: None)
    first, second = sorted((tmp_path / "one").iterdir())
    for folder in (first, second):
        for stem in STEMS:
            ours = (folder / f"{stem}.flac").read_bytes()
            assert ours == (tmp_path / "two" / folder.name / f"{stem}.flac").read_bytes()
    assert (first / "vocals.flac").read_bytes() != (second / "vocals.flac").read_bytes()
    assert "midi" in json.loads((first / "song.json").read_text())
    assert soundfile.read(first / "vocals.flac")[0].any()
    assert [song.name for song in find_stem_songs(tmp_path / "one")] == [first.name, second.name]


@needs_world
def test_songs_that_are_there_are_left_alone_and_no_half_song_stays(samples, tmp_path, monkeypatch):
    make_songs(samples, tmp_path, songs=1, seed=1, seconds=3, report=lambda _name: None)
    (folder,) = tmp_path.iterdir()
    (folder / "vocals.flac").write_bytes(b"mine")

    def full(path, *_rest, **_options):
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(soundfile, "write", full)
    with pytest.raises(AudioFileError, match="is the disk full"):
        make_songs(samples, tmp_path, songs=2, seed=1, seconds=3, report=lambda _name: None)
    assert (folder / "vocals.flac").read_bytes() == b"mine"
    assert list(tmp_path.iterdir()) == [folder]


def test_samples_that_are_missing_are_reported(tmp_path):
    with pytest.raises(AudioFileError, match="contains no songs"):
        make_songs(tmp_path, tmp_path / "out", songs=1, seed=1, report=lambda _name: None)
    with pytest.raises(ConfigError, match="at least 1"):
        make_songs(tmp_path, tmp_path / "out", songs=0, seed=1, report=lambda _name: None)


def test_hits_are_sorted_into_kits_by_name(samples):
    (kit,) = find_kits(samples)
    assert {role: len(paths) for role, paths in kit.items()} == {"kick": 2, "snare": 2, "crash": 2, "ride": 2}


def test_general_midi_plays_in_tune():
    fonts = find_soundfonts()
    require(fonts, "needs fluidsynth and a soundfont: apt install fluidsynth fluid-soundfont-gm")
    sound = play_program(fonts[0], 0, [Note(0.5, 1.0, 69)], 2.0)
    assert sound.shape == (2, 2 * RATE)
    assert np.abs(sound[:, : int(0.45 * RATE)]).max() < 1e-3
    assert pitch_of(sound[0, int(0.6 * RATE) : int(1.4 * RATE)]) == pytest.approx(69, abs=0.2)


@pytest.fixture
def cache(tmp_path):
    for number in range(3):
        for seed, stem in enumerate(STEMS):
            sound = 0.3 * np.random.default_rng(10 * number + seed).standard_normal((RATE, 2))
            write(tmp_path / f"songs/S{number}/{stem}.ogg", sound if stem != "bass" else sound[:, 0])
    build_cache(find_stem_songs(tmp_path / "songs"), tmp_path / "cache")
    return tmp_path / "cache"


def test_packs_hold_what_caches_hold_in_parts_of_a_size(cache, tmp_path):
    size = sum(path.stat().st_size for path in (tmp_path / "songs").rglob("*.ogg")) / 2**20
    parts = pack_caches([cache], tmp_path / "pack", part_mb=size / 2, quality=0.4, report=lambda _name: None)
    assert len(parts) > 1
    assert all(part.stat().st_size <= size / 2 * 2**20 for part in parts)
    added = [unpack(part, tmp_path / "there") for part in (*parts, parts[0])]
    assert sum(added) == 3
    there = tmp_path / "there/cache"
    assert sorted(song.name for song in read_index(there)) == ["S0", "S1", "S2"]
    assert {song.frames for song in read_index(there)} == {song.frames for song in read_index(cache)}
    assert check_cache(there) == []


def test_packs_that_cannot_be_are_refused(cache, tmp_path):
    with pytest.raises(ConfigError, match="more than --part-mb"):
        pack_caches([cache], tmp_path / "pack", part_mb=0.01, quality=0.4, report=lambda _name: None)
    with pytest.raises(ConfigError, match="are not possible"):
        pack_caches([cache], tmp_path / "pack", part_mb=1, quality=2, report=lambda _name: None)
    (tmp_path / "bad.zip").write_bytes(b"PK nothing")
    with pytest.raises(AudioFileError, match="copy it again"):
        unpack(tmp_path / "bad.zip", tmp_path / "there")
