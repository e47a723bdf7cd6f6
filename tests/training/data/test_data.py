"""Data sets of every layout into caches, and what a training cuts out of them."""

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.evaluation.validation_split import HELD_OUT_ARTISTS, is_validation
from stream_sep.files import disk_space
from stream_sep.lowlevel.atomic_file import FileClaim
from stream_sep.protocols import STEMS
from stream_sep.training.data import folder_cache
from stream_sep.training.data.cache import RATE, build_cache, check_cache, drop_songs, map_song, read_index
from stream_sep.training.data.layouts import find_stem_songs


def noise(seed, frames=RATE // 2, channels=2):
    return (0.2 * np.random.default_rng(seed).standard_normal((frames, channels))).astype(np.float32)


def write(path, sound, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype="FLOAT" if path.suffix == ".wav" else None)


@pytest.fixture
def songs(tmp_path):
    """Two songs in folders of stems, the second without bass."""
    for seed, stem in enumerate(STEMS):
        write(tmp_path / "songs/A - One" / f"{stem}.wav", noise(seed))
        if stem != "bass":
            write(tmp_path / "songs/B - Two" / f"{stem}.wav", noise(10 + seed, RATE // 4))
    return tmp_path / "songs"


def build(folder, target, **options):
    names = []
    added = build_cache(find_stem_songs(folder, **options), target, names.append)
    return added, names


def sounds(target, name):
    song = next(song for song in read_index(target) if song.name == name)
    return dict(zip(song.stems, np.stack(map_song(target, song)) * np.float32(song.gain), strict=True))


def test_a_cache_holds_every_stem_to_the_bit_of_its_depth(songs, tmp_path):
    assert build(songs, tmp_path / "cache") == (2, ["A - One", "B - Two"])
    found = sounds(tmp_path / "cache", "A - One")
    for seed, stem in enumerate(STEMS):
        assert np.abs(found[stem] - noise(seed)).max() < 2e-5 * np.abs(noise(seed)).max() * 2
    assert set(sounds(tmp_path / "cache", "B - Two")) == {"vocals", "drums", "other"}


def test_several_jobs_make_the_same_cache(songs, tmp_path):
    found = find_stem_songs(songs)
    assert build_cache(found, tmp_path / "cache", jobs=2) == 2
    build(songs, tmp_path / "other")
    ours, others = ({song.name: song for song in read_index(tmp_path / name)} for name in ("cache", "other"))
    assert ours == others
    with pytest.raises(ConfigError, match="at least 1"):
        build_cache(found, tmp_path / "cache", jobs=0)


def test_a_build_that_was_killed_goes_on(songs, tmp_path, monkeypatch):
    target = tmp_path / "cache"
    whole = folder_cache._quantise

    def killed(spooled, *rest):
        if "drums" in spooled.name and (target / "index.jsonl").exists():
            raise KeyboardInterrupt
        whole(spooled, *rest)

    monkeypatch.setattr(folder_cache, "_quantise", killed)
    with pytest.raises(KeyboardInterrupt):
        build(songs, target)
    with (target / "index.jsonl").open("a") as index:
        index.write('{"name": "cut of')
    monkeypatch.undo()
    before = (target / read_index(target)[0].file).stat().st_mtime_ns
    assert build(songs, target)[0] == 1
    assert (target / read_index(target)[0].file).stat().st_mtime_ns == before
    assert check_cache(target) == []
    assert sorted(path.suffix for path in target.iterdir()) == [".i16", ".i16", ".jsonl", ".sqlite"]


def test_build_deletes_what_a_killed_one_left_but_not_what_another_one_writes(songs, tmp_path):
    target = tmp_path / "cache"
    target.mkdir()
    left = [target / f".0123456789abcdef.i16.{ending}" for ending in ("vocals", "part")]
    for path in left:
        path.write_bytes(b"floats")
    with FileClaim(target / ".fedcba9876543210.i16.drums") as of_another_build:
        build(songs, target)
        assert of_another_build.path.exists()
    assert not any(path.exists() for path in left)


def test_damage_is_found_and_mended(songs, tmp_path):
    target = tmp_path / "cache"
    build(songs, target)
    file = target / read_index(target)[1].file
    data = bytearray(file.read_bytes())
    data[1000] ^= 1
    file.write_bytes(data)
    assert check_cache(target) == ["B - Two"]
    drop_songs(target, ["B - Two"])
    assert build(songs, target)[0] == 1
    assert check_cache(target) == []
    file.write_bytes(b"")
    with pytest.raises(ConfigError, match="data check"):
        map_song(target, read_index(target)[1])


def test_sounds_at_another_rate_and_in_mono_become_stereo_at_ours(tmp_path):
    t = np.arange(24000) / 48000
    write(tmp_path / "s/x/vocals.wav", np.sin(2 * np.pi * 440 * t).astype(np.float32), 48000)
    build(tmp_path / "s", tmp_path / "cache")
    found = sounds(tmp_path / "cache", "x")["vocals"]
    assert abs(len(found) - RATE // 2) <= 2
    assert np.array_equal(found[:, 0], found[:, 1])
    assert np.argmax(np.abs(np.fft.rfft(found[: RATE // 2, 0]))) == 220


def test_moisesdb_adds_tracks_up_by_their_folders(tmp_path):
    song = tmp_path / "moisesdb_v0.1/0001"
    for seed, name in enumerate(("vocals/lead", "vocals/choir", "drums/kick", "guitar/one", "piano/two", "bass/b")):
        write(song / f"{name}.wav", noise(seed))
    (song / "data.json").write_text("{}")
    build(tmp_path, tmp_path / "cache")
    found = sounds(tmp_path / "cache", "0001")
    assert np.abs(found["vocals"] - noise(0) - noise(1)).max() < 1e-4
    assert np.abs(found["guitar"] - noise(3)).max() < 1e-4
    assert np.abs(found["piano"] - noise(4)).max() < 1e-4
    assert "strings" in read_index(tmp_path / "cache")[0].silent


def test_moisesdb_splits_by_artist(tmp_path):
    about = [
        '{"artist": "Hat/Band - Duo", "song": "A"}',
        '{"artist": "Hat/Band - Duo"}',
        "no json",
        '{"artist": 7}',
        "[]",
    ]
    for number, text in enumerate(about):
        song = tmp_path / f"songs/000{number}"
        write(song / "vocals/lead.wav", noise(number)[:2000])
        (song / "data.json").write_text(text)
    names = [song.name for song in find_stem_songs(tmp_path / "songs", "moises")]
    assert names == ["0002", "0003", "0004", "Hat Band-Duo - 0000", "Hat Band-Duo - 0001"]
    for percent in range(100):
        assert len({is_validation(name, percent) for name in names[3:]}) == 1


def test_slakh_sorts_tracks_by_its_metadata(tmp_path):
    song = tmp_path / "slakh/train/Track00001"
    for seed in range(3):
        write(song / f"stems/S0{seed}.flac", noise(seed, channels=1))
    (song / "metadata.yaml").write_text(
        "audio_dir: stems\nstems:\n"
        "  S00:\n    inst_class: Bass\n    is_drum: false\n"
        "  S01:\n    inst_class: Drums\n    is_drum: true\n"
        "  S02:\n    inst_class: Piano\n    is_drum: false\n"
        "target_peak: -1.0\n"
    )
    build(tmp_path / "slakh", tmp_path / "cache", layout="slakh")
    found = sounds(tmp_path / "cache", "Track00001")
    assert set(found) == {"drums", "bass", "piano"}
    assert {"vocals", "guitar"} <= set(read_index(tmp_path / "cache")[0].silent)
    assert np.abs(found["bass"][:, 0] - noise(0, channels=1)[:, 0]).max() < 1e-3


def test_cambridge_songs_without_vocals_are_instrumental_unless_they_are_one_part(tmp_path):
    parts = {"A - Sung": STEMS, "B - Played": ("drums", "other"), "C - Bass": ("bass",)}
    for song, stems in parts.items():
        for seed, stem in enumerate(stems):
            write(tmp_path / f"songs/{song}/{stem}.ogg", noise(seed))
    build(tmp_path / "songs", tmp_path / "cache", layout="cambridge-mt")
    found = {song.name: song for song in read_index(tmp_path / "cache")}
    assert {name: song.silent for name, song in found.items()} == {
        "A - Sung": (),
        "B - Played": ("vocals",),
        "C - Bass": (),
    }
    assert not any(song.silent for song in find_stem_songs(tmp_path / "songs"))  # not in other folders of stems


def test_mir1k_is_voices_of_singers_over_instruments_and_dull(tmp_path):
    for seed, stem in enumerate(("vocals", "accompaniment")):
        for part in ("amy_12", "amy_15", "Ani_1"):
            write(tmp_path / f"songs/{part}/{stem}.ogg", noise(seed, channels=1))
    build(tmp_path / "songs", tmp_path / "cache", layout="mir1k")
    found = read_index(tmp_path / "cache")
    assert [song.name for song in found] == ["Ani - 1", "amy - 12", "amy - 15"]
    assert {song.stems for song in found} == {("vocals", "instruments")}
    assert {song.max_hz for song in found} == {7500.0}


def test_caches_of_before_there_was_dull_sound_are_read(songs, tmp_path):
    build(songs, tmp_path / "cache")
    index = tmp_path / "cache/index.jsonl"
    rows = [json.loads(line) for line in index.read_text().splitlines()]
    for row in rows:
        del row["max_hz"]
    index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [song.max_hz for song in read_index(tmp_path / "cache")] == [0.0, 0.0]


def test_musdb_hq_is_read_from_its_train_part_only(songs, tmp_path):
    whole = tmp_path / "musdb18hq"
    (whole / "test/Zeno - Signs").mkdir(parents=True)
    songs.rename(whole / "train")
    write(whole / "test/Zeno - Signs/vocals.wav", noise(0))
    assert [song.name for song in find_stem_songs(whole)] == ["A - One", "B - Two"]
    with pytest.raises(ConfigError, match="test part"):
        find_stem_songs(whole / "test")


def test_stem_files_are_found_with_their_streams(tmp_path):
    (tmp_path / "X - Y.stem.mp4").touch()
    (song,) = find_stem_songs(tmp_path)
    assert song.name == "X - Y"
    assert {stem: sources[0].stream for stem, sources in song.sources.items()} == {
        "vocals": 4,
        "drums": 1,
        "bass": 2,
        "other": 3,
    }


@pytest.mark.parametrize(
    ("make", "layout", "error"),
    [
        (lambda _path: None, "auto", AudioFileError),
        (lambda path: path.mkdir(), "auto", AudioFileError),
        (lambda path: path.mkdir(), "wavs", ConfigError),
    ],
)
def test_folders_without_songs_are_refused(tmp_path, make, layout, error):
    make(tmp_path / "x")
    with pytest.raises(error, match=r"x|layout"):
        find_stem_songs(tmp_path / "x", layout)


def test_a_broken_song_leaves_the_finished_ones(songs, tmp_path):
    (songs / "B - Two/drums.wav").write_bytes(b"no sound")
    with pytest.raises(AudioFileError, match=r"drums\.wav"):
        build(songs, tmp_path / "cache")
    assert [song.name for song in read_index(tmp_path / "cache")] == ["A - One"]
    assert {path.suffix for path in (tmp_path / "cache").iterdir()} == {".i16", ".jsonl", ".sqlite"}
    assert len(list((tmp_path / "cache").glob("*.i16"))) == 1


def test_a_song_whose_frames_do_not_fit_on_the_disk_is_named(songs, tmp_path, monkeypatch):
    def nearly_full(folder):
        return 40_000 if [*folder.glob("*.drums")] and [*folder.glob("*.part")] else 10**12

    monkeypatch.setattr(disk_space, "free_bytes", nearly_full)  # which spooled floats fit on, and frames not
    with pytest.raises(AudioFileError, match=r"A - One: .* are needed"):
        build(songs, tmp_path / "cache")
    assert not [*(tmp_path / "cache").glob(".*")]


def test_the_split_is_by_artist_and_near_its_percentage():
    names = [f"Artist {n} - Song {k}" for n in range(500) for k in range(2)]
    kept = [name for name in names if is_validation(name, 16)]
    assert len({name.partition(" - ")[0] for name in kept}) * 2 == len(kept)
    assert 100 < len(kept) < 220
    assert not any(is_validation(name, 0) for name in names)


def test_artists_on_the_list_are_held_out_of_every_source():
    for artist in HELD_OUT_ARTISTS:
        assert is_validation(f"{artist} - Any Song", 1)
        assert not is_validation(f"{artist} - Any Song", 0)


def test_the_documented_list_of_held_out_artists_is_that_of_the_code():
    page = (Path(__file__).parents[3] / "docs/how-to/train.md").read_text()
    (section,) = re.findall(r"## Artists held out\n(.*?)\n## ", page, re.DOTALL)
    rows = [line.split("|")[2] for line in section.splitlines() if line.startswith("| `")]
    assert {artist.strip() for row in rows for artist in row.split(";")} == HELD_OUT_ARTISTS


def test_songs_that_cannot_be_read_are_named_and_the_others_added(songs, tmp_path):
    write(songs / "C - Infinite/vocals.wav", np.where(np.arange(2000)[:, None] == 7, np.inf, noise(1)[:2000]))
    write(songs / "D - Empty/vocals.wav", np.zeros((0, 2), np.float32))
    (songs / "E - Text").mkdir()
    (songs / "E - Text/drums.wav").write_text("no sound")
    with pytest.raises(AudioFileError, match="3 of 5 songs") as caught:
        build(songs, tmp_path / "cache")
    assert all(name in str(caught.value) for name in ("C - Infinite", "D - Empty", "E - Text"))
    assert [song.name for song in read_index(tmp_path / "cache")] == ["A - One", "B - Two"]


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("flac decoder lost sync."), OSError(5, "I/O error")])
def test_a_song_that_fails_in_any_way_costs_itself_alone(songs, tmp_path, monkeypatch, error):
    whole = folder_cache._spool

    def spool(song, *rest):
        if song.name == "A - One":
            raise error
        return whole(song, *rest)

    monkeypatch.setattr(folder_cache, "_spool", spool)
    with pytest.raises(AudioFileError, match=r"1 of 2 songs could not be added, the others were:\n  A - One: "):
        build(songs, tmp_path / "cache")
    assert [song.name for song in read_index(tmp_path / "cache")] == ["B - Two"]


def test_a_song_of_no_finite_level_is_found_and_dropped(songs, tmp_path):
    build(songs, tmp_path / "cache")
    index = tmp_path / "cache" / folder_cache.INDEX
    lines = index.read_text().splitlines(keepends=True)
    row = json.loads(lines[0])
    index.write_text(json.dumps({**row, "gain": math.inf}) + "\n" + lines[1])
    assert check_cache(tmp_path / "cache") == ["A - One"]
    with pytest.raises(ConfigError, match="--drop"):
        map_song(tmp_path / "cache", read_index(tmp_path / "cache")[0])
    drop_songs(tmp_path / "cache", ["A - One"])
    assert check_cache(tmp_path / "cache") == []
