"""The command, over real files; the separator is a stand-in that is fast and whose stems are known."""

import contextlib
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
import wave
from pathlib import Path

import numpy as np
import pytest
import soundfile
import typer
from typer.testing import CliRunner

from stream_sep.cli.separate import cache_app, separate
from stream_sep.errors import ConfigError, StreamSepError
from stream_sep.files import batch, ray_batch, song_separator
from stream_sep.files.batch import separate_all
from stream_sep.files.crew import Crew
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.output_file import OutputFile
from stream_sep.files.output_record import RECORD
from stream_sep.files.settings import DEFAULT_MODEL, SeparationSettings
from stream_sep.files.song_separator import Outcome, SongSeparator
from stream_sep.files.stem_cache import ENVIRONMENT, PARTIAL_SONG, StemCache
from stream_sep.files.stem_mp4 import STEMS as STEM_FILE_ORDER
from stream_sep.files.stem_mp4 import read_stem_box
from stream_sep.files.tracks import Track, find_tracks

RATE = 44100
SOURCES = ("drums", "bass", "other", "vocals")
SHARES = np.array([0.5, 0.25, 0.1, 0.3], np.float32)  # of the song in each stem; more than all of it


class Shares:
    """A maker of stems that are shares of the song: known output, no weights, and it counts what it is asked for."""

    sources = SOURCES
    cache_key = "shares"

    def __init__(self, stems=SOURCES, log=None, fail=()):
        self.stems, self.log, self._fail = tuple(stems), [] if log is None else log, list(fail)

    def rate_for(self, _rate):
        return RATE

    def with_stems(self, stems):
        return Shares(stems, self.log, self._fail)

    def with_less_memory(self):
        return (Shares(self.stems, self.log, self._fail[1:]), "in smaller steps") if self._fail else None

    def separate(self, blocks, _rate, _level):
        self.log.append(self.stems)
        rows = SHARES[[SOURCES.index(name) for name in self.stems]]
        for index, block in enumerate(blocks):
            if self._fail and index == 1:
                raise self._fail[0]
            yield block, rows[:, None, None] * block


@pytest.fixture(autouse=True)
def maker(monkeypatch, tmp_path):
    made, load = Shares(), song_separator.load_song_model
    monkeypatch.setattr(
        song_separator,
        "load_song_model",
        lambda settings: made if settings.model == DEFAULT_MODEL else load(settings),
    )
    monkeypatch.setenv(ENVIRONMENT, str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def command():
    app = typer.Typer()
    app.command("separate")(separate)
    app.add_typer(cache_app, name="cache")
    kept = signal.getsignal(signal.SIGTERM)

    def run(*arguments):
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    yield run
    signal.signal(signal.SIGTERM, kept)


@pytest.fixture
def ffmpeg():
    from stream_sep.files.ffmpeg import INSTALL, has_ffmpeg  # noqa: PLC0415 - only what needs it

    if not has_ffmpeg():
        (pytest.fail if os.environ.get("CI") == "true" else pytest.skip)(INSTALL)

    def run(*arguments):
        subprocess.run(["ffmpeg", "-v", "error", "-y", *map(str, arguments)], check=True)

    return run


def music(seconds=0.5, channels=2, rate=RATE, level=0.1):
    rng = np.random.default_rng(1)
    return (level * rng.standard_normal((int(seconds * rate), channels))).astype(np.float32)


def write(path, sound, rate=RATE, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, **{"subtype": "FLOAT", **options} if path.suffix == ".wav" else options)
    return path


def read(path):
    return soundfile.read(path, dtype="float32", always_2d=True)[0]


def job(tmp_path, **settings):
    return SeparationJob(**{"out": tmp_path / "out", "format": AudioFormat(bits=32), "cache_gb": 0.0, **settings})


def outcomes(job, *paths, report=lambda *_: None):
    return [outcome for _, outcome in separate_all(find_tracks(paths, job.out), job, report)]


def parts_left(folder):
    return [path for path in Path(folder).rglob("*") if ".part" in path.name or path.name.startswith("tagged")]


# what is written


@pytest.mark.parametrize("model", ["bands", "passthrough"])
def test_a_separator_made_for_streams_gives_stems_in_time_with_the_song(tmp_path, model):
    song = music(1.0)
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model=model)), write(tmp_path / "a.wav", song))
    assert {file.stem for file in outcome.files} == set(SOURCES)
    np.testing.assert_allclose(sum(read(file) for file in outcome.files), song, atol=1e-6)


def test_the_stems_of_the_streamed_engine_and_of_the_file_are_the_same(tmp_path):
    from stream_sep import StemSeparator  # noqa: PLC0415 - one test's oracle

    song = music(1.0)
    path = write(tmp_path / "a.wav", song)
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model="bands"), stems=("vocals",)), path)
    separator = StemSeparator("bands")
    expected = separator.process(song.T, RATE)[separator.stems.index("vocals")].T
    np.testing.assert_allclose(read(outcome.files[0]), expected, atol=1e-6)


def test_demucs_writes_what_its_network_makes(tmp_path):
    if os.environ.get("CI") != "true":
        pytest.importorskip("demucs")
    import torch  # noqa: PLC0415 - heavy, one test

    torch.set_num_threads(1)
    song = write(tmp_path / "a.wav", music(2.5))
    done = []
    first = job(tmp_path, settings=SeparationSettings(model="tiny", threads=1, device="cpu"))
    (outcome,) = outcomes(first, song, report=lambda _, progress: done.append(progress.share))
    assert [file.name for file in outcome.files] == [f"{stem}.wav" for stem in SOURCES]
    assert all(read(file).shape == (len(read(song)), 2) for file in outcome.files)
    assert done == sorted(done)
    assert done[-1] == 1.0


def test_all_stems_are_written_and_each_is_its_own(maker, tmp_path):
    song = music()
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", song))
    for file, share in zip(outcome.files, SHARES, strict=True):
        np.testing.assert_allclose(read(file), share * song, atol=1e-6)
    assert maker.log == [SOURCES]


def test_only_the_stems_that_are_needed_are_made(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, stems=("vocals", "drums")), path)
    outcomes(job(tmp_path, mixes=("k=song-vocals",), overwrite=True), path)
    outcomes(job(tmp_path, two_stems="bass", other_method="minus"), path)
    outcomes(job(tmp_path, two_stems="bass"), path)
    assert maker.log == [("drums", "vocals"), ("vocals",), ("bass",), SOURCES]


def test_two_stems_are_a_stem_and_the_sum_of_the_others(tmp_path):
    song = music()
    (outcome,) = outcomes(job(tmp_path, two_stems="vocals"), write(tmp_path / "a.wav", song))
    assert [file.name for file in outcome.files] == ["vocals.wav", "no_vocals.wav"]
    np.testing.assert_allclose(read(outcome.files[1]), 0.85 * song, atol=1e-6)


@pytest.mark.parametrize(("method", "rest"), [("minus", {"minus_vocals": 0.7}), ("none", {})])
def test_the_rest_can_be_what_the_song_is_without_the_stem_or_left_out(tmp_path, method, rest):
    song = music()
    settings = job(tmp_path, two_stems="vocals", other_method=method)
    (outcome,) = outcomes(settings, write(tmp_path / "a.wav", song))
    expected = {"vocals": 0.3, **rest}
    assert {file.stem for file in outcome.files} == set(expected)
    for file in outcome.files:
        np.testing.assert_allclose(read(file), expected[file.stem] * song, atol=1e-6)


def test_mixes_have_their_gains_and_their_names(tmp_path):
    song = music()
    mixes = ("karaoke=drums+bass+other", "vocals*0.2+drums", "rest=song - 0.5*vocals")
    (outcome,) = outcomes(job(tmp_path, mixes=mixes), write(tmp_path / "a.wav", song))
    assert [file.stem for file in outcome.files] == ["karaoke", "vocals0.2+drums", "rest"]
    for file, gain in zip(outcome.files, (0.85, 0.56, 0.85), strict=True):
        np.testing.assert_allclose(read(file), gain * song, atol=1e-6)


@pytest.mark.parametrize("stems", [None, ("vocals", "other")])
def test_with_residual_the_stems_sum_to_the_song(maker, tmp_path, stems):
    song = music()
    (outcome,) = outcomes(job(tmp_path, residual=True, stems=stems), write(tmp_path / "a.wav", song))
    np.testing.assert_allclose(sum(read(file) for file in outcome.files), song, atol=1e-6)
    assert "other" not in maker.log[0]  # it is what the rest leaves


def test_without_a_stem_for_the_rest_it_is_spread_over_all(maker, tmp_path):
    maker.sources = maker.stems = ("drums", "bass")
    song = music()
    (outcome,) = outcomes(job(tmp_path, residual=True), write(tmp_path / "a.wav", song))
    for file, gain in zip(outcome.files, (0.625, 0.375), strict=True):
        np.testing.assert_allclose(read(file), gain * song, atol=1e-6)
    with pytest.raises(ConfigError, match="spreads what is left over all stems"):
        SongSeparator(job(tmp_path, residual=True, stems=("drums",)))


def test_with_residual_loud_stems_are_turned_down_together(tmp_path):
    song = music(level=1.0)
    settings = job(tmp_path, residual=True, format=AudioFormat("wav", 16))
    (outcome,) = outcomes(settings, write(tmp_path / "a.wav", song))
    total = sum(read(file) for file in outcome.files)
    factor = float(np.vdot(total, song) / np.vdot(song, song))
    assert factor < 0.9
    np.testing.assert_allclose(total, factor * song, atol=6 / 32768)
    drums, bass = (read(file) for file in outcome.files[:2])
    np.testing.assert_allclose(drums, 2 * bass, atol=6 / 32768)
    assert any("dB down" in remark for remark in outcome.notes)


@pytest.mark.parametrize(
    ("name", "bits", "subtype"),
    [
        ("wav", 16, "PCM_16"),
        ("wav", 24, "PCM_24"),
        ("wav", 32, "FLOAT"),
        ("flac", 16, "PCM_16"),
        ("flac", 24, "PCM_24"),
    ],
)
def test_formats_hold_the_sound(tmp_path, name, bits, subtype):
    song = music()
    settings = job(tmp_path, format=AudioFormat(name, bits), stems=("drums",))
    (outcome,) = outcomes(settings, write(tmp_path / "a.wav", song))
    assert soundfile.info(outcome.files[0]).subtype == subtype
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * song, atol=2.0 ** (2 - bits))


@pytest.mark.parametrize("name", ["mp3", "ogg"])
def test_lossy_formats_sound_alike(tmp_path, name):
    t = np.arange(RATE) / RATE
    song = np.stack([0.3 * np.sin(2 * np.pi * 440 * t)] * 2, axis=1).astype(np.float32)
    settings = job(tmp_path, format=AudioFormat(name), stems=("drums",))
    (outcome,) = outcomes(settings, write(tmp_path / "a.wav", song))
    sound = read(outcome.files[0])
    levels = np.abs(np.fft.rfft(sound[5000:40000, 0]))
    assert abs(np.argmax(levels) * RATE / 35000 - 440) < 2
    assert np.abs(sound[5000:40000]).max() == pytest.approx(0.15, abs=0.01)


def test_a_bitrate_is_kept(tmp_path):
    path = write(tmp_path / "a.wav", music(3.0))
    sizes = {}
    for kbps in (64, 320):
        settings = job(tmp_path, format=AudioFormat("mp3", kbps=kbps), stems=("drums",), overwrite=True)
        sizes[kbps] = outcomes(settings, path)[0].files[0].stat().st_size
    assert sizes[320] == pytest.approx(320e3 / 8 * 3, rel=0.1)
    assert sizes[64] == pytest.approx(64e3 / 8 * 3, rel=0.15)


def test_clip_modes(tmp_path):
    song = 4 * np.clip(music(level=0.3), -1, 1)  # drums peak at 2
    path = write(tmp_path / "a.wav", song)
    peaks = {}
    for clip in ("rescale", "clamp", "tanh", "none"):
        settings = job(tmp_path, format=AudioFormat(clip=clip), stems=("drums",), overwrite=True)
        sound = read(outcomes(settings, path)[0].files[0])
        peaks[clip] = float(np.abs(sound).max())
        if clip == "rescale":
            np.testing.assert_allclose(sound / sound.max(), song / song.max(), atol=1e-3)
    assert peaks["rescale"] == pytest.approx(1 / 1.01, abs=1e-3)
    assert peaks["clamp"] == pytest.approx(0.99, abs=1e-3)
    assert peaks["tanh"] == pytest.approx(np.tanh(2 * np.abs(song).max() / 4), abs=1e-3)
    assert peaks["none"] == pytest.approx(1.0, abs=1e-3)


def test_floats_keep_what_is_over_full_scale(tmp_path):
    song = music(level=2.0)
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song))
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * song, atol=1e-6)


def test_the_template_names_files(tmp_path):
    settings = job(tmp_path, filename="x/{track}-{trackext}_{stem}.{ext}", stems=("drums",))
    (outcome,) = outcomes(settings, write(tmp_path / "a.b.wav", music()))
    assert outcome.files == (tmp_path / "out" / "htdemucs" / "x" / "a.b-wav_drums.wav",)


# tags, covers, stem files


@pytest.mark.parametrize("name", ["wav", "flac", "mp3", "ogg"])
def test_tags_are_kept_and_the_sound_is_untouched(ffmpeg, tmp_path, name):
    path = write(tmp_path / "plain.wav", music())
    song = tmp_path / "a.flac"
    ffmpeg("-i", path, "-metadata", "title=Lied für Élise", "-metadata", "artist=我", song)
    kinds = {"format": AudioFormat(name), "stems": ("drums",)}
    (bare,) = outcomes(job(tmp_path, **kinds, tags=False), song)
    untouched = read(bare.files[0])
    assert not tags_of(bare.files[0]) & {"title": "Lied für Élise", "artist": "我"}.items()
    (outcome,) = outcomes(job(tmp_path, **kinds, overwrite=True), song)
    assert tags_of(outcome.files[0]) >= {"title": "Lied für Élise", "artist": "我"}.items()
    sound = read(outcome.files[0])
    frames = min(len(sound), len(untouched))
    assert abs(len(sound) - len(untouched)) <= (1152 * 2 if name == "mp3" else 0)
    np.testing.assert_allclose(sound[:frames], untouched[:frames], atol=0)


def tags_of(path):
    from stream_sep.files.ffmpeg import probe_streams  # noqa: PLC0415 - only what needs it

    facts = probe_streams(path)
    holders = (facts["format"], *facts["streams"])
    return {key.lower(): value for holder in holders for key, value in holder.get("tags", {}).items()}.items()


@pytest.mark.parametrize("name", ["flac", "mp3", "stem.mp4"])
def test_a_cover_is_kept(ffmpeg, tmp_path, name):
    from stream_sep.files.ffmpeg import probe_streams  # noqa: PLC0415 - only what needs it

    plain, cover, song = write(tmp_path / "plain.wav", music()), tmp_path / "c.png", tmp_path / "a.mp3"
    ffmpeg("-f", "lavfi", "-i", "color=red:s=32x32", "-frames:v", "1", cover)
    ffmpeg("-i", plain, "-i", cover, "-map", "0", "-map", "1", "-disposition:v", "attached_pic", song)
    (outcome,) = outcomes(job(tmp_path, format=AudioFormat(name)), song)
    assert not outcome.error
    assert "video" in {stream["codec_type"] for stream in probe_streams(outcome.files[0])["streams"]}


def test_without_ffmpeg_lost_tags_are_told_and_files_are_written(monkeypatch, tmp_path):
    path = tmp_path / "a.wav"
    with soundfile.SoundFile(path, "w", RATE, 2, subtype="PCM_16") as file:
        file.title = "Song"
        file.write(music())
    monkeypatch.setenv("PATH", "")
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), path)
    assert outcome.files[0].is_file()
    assert "install ffmpeg" in outcome.notes[0]


def test_a_stem_file_holds_song_and_stems_and_says_so(ffmpeg, tmp_path):
    song = music(1.0)
    path = write(tmp_path / "a.wav", song)
    (outcome,) = outcomes(job(tmp_path, format=AudioFormat("stem.mp4")), path)
    (file,) = outcome.files
    assert file.name == "a.stem.mp4"
    box = read_stem_box(file)
    assert [stem["name"].lower() for stem in box["stems"]] == list(STEM_FILE_ORDER)
    levels = []
    for stream in range(5):
        part = tmp_path / f"{stream}.wav"
        ffmpeg("-i", file, "-map", f"0:a:{stream}", part)
        levels.append(read(part)[5000:40000].std() / song.std())
    gains = [SHARES[SOURCES.index(name)] for name in STEM_FILE_ORDER]
    np.testing.assert_allclose(levels, [1.0, *gains], rtol=0.15)
    assert not list(file.parent.glob("*.wav"))


def test_the_box_is_where_native_instruments_puts_it():
    import stempeg  # noqa: PLC0415 - slow

    box = read_stem_box(Path(stempeg.example_stem_path()))
    assert {"mastering_dsp", "version", "stems"} <= set(box)


# odd songs


@pytest.mark.parametrize("rate", [8000, 22050, 48000, 96000, 192000])
def test_songs_of_any_rate(tmp_path, rate):
    t = np.arange(rate) / rate
    song = np.stack([0.5 * np.sin(2 * np.pi * 440 * t)] * 2, axis=1)
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song, rate))
    sound = read(outcome.files[0])
    assert abs(len(sound) - RATE) <= 2
    expected = 0.25 * np.sin(2 * np.pi * 440 * np.arange(len(sound)) / RATE)
    np.testing.assert_allclose(sound[2000:-2000, 0], expected[2000:-2000], atol=1e-3)


@pytest.mark.parametrize("rate", [4000, 8000, 11025, 192000])
def test_bands_takes_songs_of_any_rate(tmp_path, rate):
    path = write(tmp_path / "a.wav", music(0.5, rate=rate), rate)
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model="bands")), path)
    assert outcome.error == ""


def test_mono_is_heard_on_both_sides(tmp_path):
    song = music(channels=1)
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song))
    np.testing.assert_allclose(read(outcome.files[0]), np.repeat(0.5 * song, 2, axis=1), atol=1e-6)


def test_five_channels_are_mixed_down_and_it_is_told(tmp_path):
    song = np.zeros((1000, 5), np.float32)
    song[:, 0], song[:, 4] = 0.5, 0.5  # left and right surround
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song))
    left, right = read(outcome.files[0])[500]
    assert left == pytest.approx(right / 0.7071, rel=1e-3)
    assert left > 0
    assert "5 channels" in outcome.notes[0]


def test_seven_channels_are_refused_in_a_sentence(tmp_path):
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", music(channels=7)))
    assert "7 channels" in outcome.error


@pytest.mark.parametrize("model", ["bands", DEFAULT_MODEL])
def test_silence_gives_silence(maker, tmp_path, model):
    path = write(tmp_path / "a.wav", np.zeros((5000, 2), np.float32))
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model=model)), path)
    assert all(not read(file).any() and len(read(file)) == 5000 for file in outcome.files)
    assert maker.log == []  # of silence, networks make a faint noise


@pytest.mark.parametrize("model", ["bands", DEFAULT_MODEL])
@pytest.mark.parametrize("rate", [44100, 48000])
def test_a_song_of_one_frame(tmp_path, model, rate):
    path = write(tmp_path / "a.wav", np.full((1, 2), 0.5), rate)
    (outcome,) = outcomes(job(tmp_path, settings=SeparationSettings(model=model)), path)
    assert [len(read(file)) for file in outcome.files] == [1] * 4


def test_numbers_that_are_not_finite_are_silence(tmp_path):
    song = music()
    song[100], song[200] = np.nan, np.inf
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", song))
    song[[100, 200]] = 0.0
    for file, share in zip(outcome.files, SHARES, strict=True):
        np.testing.assert_allclose(read(file), share * song, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["日本語の歌", "Ünïcödé ñ", "поёт", "🎵 {stem}", 'a\'b "c" $x;&', "-n", "line\nbreak"]
)
def test_names_in_any_script(tmp_path, name):
    path = write(tmp_path / "songs" / f"{name}.wav", music(0.1))
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), path)
    assert outcome.files == (tmp_path / "out" / "htdemucs" / name / "drums.wav",)
    assert outcome.files[0].is_file()


@pytest.mark.parametrize(
    ("model", "folder"),
    [("htdemucs", "htdemucs"), ("hf://someone/something", "someone_something"), ("mine:make", "mine_make")],
)
def test_the_folder_of_a_model_has_a_name_that_every_system_takes(tmp_path, model, folder):
    target = SeparationJob(settings=SeparationSettings(model=model), out=tmp_path).target(
        Track(Path("a.wav"), Path("x"), "a"), "vocals"
    )
    assert target == tmp_path / folder / "x" / "a" / "vocals.wav"


def test_a_name_of_dots_stays_in_the_folder(tmp_path):
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "...wav", music(0.1), format="WAV"))
    assert outcome.files[0].parent.parent == tmp_path / "out" / "htdemucs"


def test_a_format_that_only_ffmpeg_reads(ffmpeg, tmp_path):
    song = tmp_path / "a.m4a"
    ffmpeg("-i", write(tmp_path / "plain.wav", music(1.0)), "-c:a", "aac", song)
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), song)
    assert not outcome.error
    assert len(read(outcome.files[0])) == pytest.approx(RATE, abs=2100)


def broken_songs(folder):
    folder.mkdir()
    (folder / "empty.wav").write_bytes(b"")
    (folder / "text.mp3").write_text("no sound at all")
    write(folder / "no frames.wav", np.zeros((0, 2)))
    whole = write(folder / "cut.flac", music(3.0))
    whole.write_bytes(whole.read_bytes()[:-20000])
    return {path.name for path in folder.iterdir()}


def test_broken_songs_fail_with_a_sentence_each_and_the_rest_goes_on(tmp_path):
    broken = broken_songs(tmp_path / "songs")
    write(tmp_path / "songs" / "good.wav", music())
    by_name = {o.track.path.name: o for o in outcomes(job(tmp_path), tmp_path / "songs", tmp_path / "missing.wav")}
    assert {name for name, outcome in by_name.items() if outcome.error} == broken | {"missing.wav"}
    assert all("please report" not in outcome.error for outcome in by_name.values())
    assert by_name["good.wav"].files[0].is_file()
    assert not parts_left(tmp_path / "out")
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.wav")} == {"good"}


# many songs, again


def test_finished_work_is_not_done_again_unless_the_song_changed(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    assert [outcomes(job(tmp_path), path)[0].skipped for _ in range(2)] == [False, True]
    later = time.time() + 10
    os.utime(path, (later, later))
    assert outcomes(job(tmp_path), path)[0].skipped
    write(path, 0.5 * music())
    os.utime(path, (1e9, 1e9))  # older than its stems, as a file that was copied from elsewhere
    assert not outcomes(job(tmp_path), path)[0].skipped
    assert len(maker.log) == 2


def test_a_song_with_one_stem_missing_is_done_again(tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path), path)[0].files[2].unlink()
    (outcome,) = outcomes(job(tmp_path), path)
    assert not outcome.skipped
    assert all(file.is_file() for file in outcome.files)


def test_an_interruption_while_a_file_is_being_made_leaves_nothing(tmp_path, monkeypatch):
    def create(file):
        file.part.touch()
        raise KeyboardInterrupt

    monkeypatch.setattr(OutputFile, "_create_part", create)
    with pytest.raises(KeyboardInterrupt):
        outcomes(job(tmp_path), write(tmp_path / "a.wav", music()))
    assert not list((tmp_path / "out").rglob("*.*"))


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("broken")])
def test_half_written_files_never_stay(maker, tmp_path, error):
    path = write(tmp_path / "a.wav", music(5.0))
    maker._fail = [error]
    if isinstance(error, ValueError):
        assert "ValueError: broken" in outcomes(job(tmp_path), path)[0].error
    else:
        with pytest.raises(KeyboardInterrupt):
            outcomes(job(tmp_path), path)
    assert not list((tmp_path / "out").rglob("*.*"))


def test_a_run_that_fails_leaves_the_files_that_were_there(maker, tmp_path):
    path = write(tmp_path / "a.wav", music(5.0))
    (before,) = outcomes(job(tmp_path), path)
    kept = before.files[0].read_bytes()
    maker._fail = [ValueError("broken")]
    assert outcomes(job(tmp_path, overwrite=True), path)[0].error
    assert before.files[0].read_bytes() == kept


def test_when_memory_runs_out_it_goes_on_smaller_and_says_so(maker, tmp_path):
    song = music(5.0)
    maker._fail = [RuntimeError("CUDA out of memory. Tried to allocate 20 GiB"), MemoryError()]
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song))
    np.testing.assert_allclose(read(outcome.files[0]), 0.5 * song, atol=1e-6)
    assert [("memory ran out" in remark, "smaller steps" in remark) for remark in outcome.notes] == [(True, True)] * 2


def test_when_nothing_smaller_is_left_it_is_a_sentence(maker, tmp_path, monkeypatch):
    maker._fail = [MemoryError()]
    monkeypatch.setattr(Shares, "with_less_memory", lambda _: None)
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", music(5.0)))
    assert "not enough memory" in outcome.error


def test_folders_keep_their_shape_and_songs_of_one_name_stay_apart(tmp_path):
    for name in ("x/one.wav", "y/one.wav", "one.wav", "one.flac", ".hidden/no.wav", ".no.wav", "notes.txt"):
        if name.endswith(".txt"):
            (tmp_path / "songs" / name).write_text("no song")
        else:
            write(tmp_path / "songs" / name, music(0.1))
    done = outcomes(job(tmp_path, stems=("drums",)), tmp_path / "songs")
    folders = {str(o.files[0].parent.relative_to(tmp_path / "out" / "htdemucs")) for o in done}
    assert folders == {str(Path("x/one")), str(Path("y/one")), "one.wav", "one.flac"}


def test_stems_in_the_folder_are_not_separated_again(tmp_path):
    write(tmp_path / "a.wav", music(0.1))
    for _ in range(2):
        assert len(outcomes(job(tmp_path), tmp_path)) == 1


def test_patterns_name_songs(tmp_path):
    for name in ("a1.wav", "a2.wav", "b.wav"):
        write(tmp_path / name, music(0.1))
    assert [t.name for t in find_tracks([tmp_path / "a*.wav"], tmp_path / "out")] == ["a1", "a2"]


def test_folders_and_patterns_without_a_song_are_refused(tmp_path):
    for named in (tmp_path, tmp_path / "*.wav"):
        with pytest.raises(StreamSepError, match="no song"):
            find_tracks([named], tmp_path / "out")


def test_several_jobs_at_once_give_the_same_files(tmp_path):
    songs = [write(tmp_path / "songs" / f"{k}.wav", (k + 1) * music(0.2)) for k in range(3)]
    (tmp_path / "songs" / "bad.wav").write_bytes(b"no")
    shares = {}
    settings = job(tmp_path, settings=SeparationSettings(model="bands"))
    tracks = find_tracks([tmp_path / "songs"], settings.out)
    done = dict(separate_all(tracks, settings, shares.__setitem__, jobs=2))
    assert sorted(done) == [0, 1, 2, 3]
    assert [bool(done[index].error) for index in sorted(done)] == [False, False, False, True]
    again = job(tmp_path, settings=SeparationSettings(model="bands"), out=tmp_path / "alone")
    for outcome, expected in zip((done[k] for k in range(3)), outcomes(again, *songs), strict=True):
        for file, alone in zip(outcome.files, expected.files, strict=True):
            np.testing.assert_array_equal(read(file), read(alone))


@pytest.mark.parametrize(("asked", "given"), [(None, 4), (3, 3)])
def test_jobs_share_the_cores(tmp_path, monkeypatch, asked, given):
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(Crew, "_serve", lambda _: None)
    crew = Crew(2)
    handle = crew.submit(Track(Path("a.wav"), Path(), "a"), job(tmp_path, settings=SeparationSettings(threads=asked)))
    assert handle.job.settings.threads == given
    crew.close()


_DEADLY = """
import os
from pathlib import Path
from stream_sep.separators import load_separator

class Deadly:
    def __init__(self, inner): self.inner = inner
    def __getattr__(self, name): return getattr(self.inner, name)
    def process(self, block):
        level = round(float(block.max()), 3)
        mark = Path(os.environ["MARKS"], f"{level}-{os.getpid()}")
        if level in (0.3, 0.6) and (level == 0.6 or not list(Path(os.environ["MARKS"]).iterdir())):
            mark.touch()
            os._exit(9)
        return self.inner.process(block)

def make(*, sample_rate=44100): return Deadly(load_separator("passthrough", sample_rate))
"""


def test_songs_lost_with_a_process_are_done_again_and_only_the_deadly_one_fails(tmp_path, monkeypatch):
    """The song at 0.3 ends its process the first time, the one at 0.6 every time."""
    (tmp_path / "deadly_model.py").write_text(_DEADLY)
    (tmp_path / "marks").mkdir()
    monkeypatch.setenv("MARKS", str(tmp_path / "marks"))
    monkeypatch.syspath_prepend(tmp_path)
    levels = (0.3, 0.1, 0.6, 0.2)
    songs = [write(tmp_path / f"{k}.wav", np.full((9000, 2), v, np.float32)) for k, v in enumerate(levels)]
    tracks = [Track(song, Path(), song.stem) for song in songs]
    settings = job(tmp_path, settings=SeparationSettings(model="deadly_model:make"))
    done = dict(separate_all(tracks, settings, lambda *_: None, jobs=2))
    assert [bool(done[index].error) for index in range(4)] == [False, False, True, False]
    assert "2.wav was not separated: its process ended, twice" in done[2].error
    for index, level in enumerate(levels):
        for file in done[index].files:
            expected = level if file.stem == "other" else 0.0
            np.testing.assert_allclose(read(file), expected, atol=1e-4)


def test_a_model_that_no_process_can_load_fails_the_run(tmp_path):
    tracks = find_tracks([write(tmp_path / name, music(0.1)) for name in ("a.wav", "b.wav")], tmp_path / "out")
    settings = job(tmp_path, settings=SeparationSettings(model="nonsense:factory"))
    with pytest.raises(StreamSepError, match="nonsense"):
        list(separate_all(tracks, settings, lambda *_: None, jobs=2))


def test_a_model_that_cannot_be_loaded_fails_before_any_song(tmp_path):
    path = write(tmp_path / "a.wav", music(0.1))
    with pytest.raises(StreamSepError, match="nonsense"):
        outcomes(job(tmp_path, settings=SeparationSettings(model="nonsense:factory")), path)


# while it runs


@pytest.mark.parametrize(("name", "bits"), [("wav", 16), ("wav", 24), ("wav", 32), ("ogg", 16), ("mp3", 16)])
def test_streamed_stems_can_be_read_while_they_are_made(tmp_path, name, bits):
    song = music(6.0)
    path = write(tmp_path / "a.wav", song)
    settings = job(tmp_path, stream=True, stems=("drums",), format=AudioFormat(name, bits), tags=False)
    seen = []

    def look(progress):
        part, share = tmp_path / "out" / "htdemucs" / "a" / f"drums.part.{name}", progress.share
        if progress.stage == "separate" and 0 < share < 1:
            sound = read(part)
            seen.append(len(sound) / len(song))
            assert seen[-1] == pytest.approx(share, abs=0.0 if name == "wav" else 0.2)
            if name == "wav":
                np.testing.assert_allclose(sound, np.clip(0.5 * song[: len(sound)], -0.99, 0.99), atol=1e-4)

    SongSeparator(settings).separate(find_tracks([path], settings.out)[0], look)
    assert len(seen) > 2
    assert not parts_left(tmp_path / "out")


def test_streamed_sound_over_full_scale_is_cut_as_how_loud_it_gets_is_not_known(tmp_path):
    path = write(tmp_path / "a.wav", music(level=2.0))
    (outcome,) = outcomes(job(tmp_path, stream=True, stems=("drums",), format=AudioFormat("wav", 16)), path)
    assert np.abs(read(outcome.files[0])).max() == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize("frames", [100, 600_000_000], ids=["WAV", "RF64"])
def test_the_header_of_a_streamed_file_counts_what_is_there_at_all_times(tmp_path, frames):
    file = OutputFile(tmp_path / "a.wav", RATE, frames, AudioFormat("wav", 32), stream=True)
    file.open()
    for more, written in ((0, 0), (10, 10), (15, 25), (75, 100)):
        file.write(np.full((2, more), 0.25, np.float32))
        header = file.part.read_bytes()
        kind, begin = header[:4], header.index(b"data") + 8
        size = written * 8
        assert len(header) == begin + size
        assert soundfile.info(file.part).frames == written
        if kind == b"RF64":
            assert struct.unpack_from("<QQQ", header, 20) == (len(header) - 8, size, written)
        else:
            told = [struct.unpack_from("<I", header, at)[0] for at in (4, begin - 4, header.index(b"fact") + 8)]
            assert told == [len(header) - 8, size, written]
    file.finish(1.0)
    file.commit()
    assert read(tmp_path / "a.wav").shape == (100, 2)


def test_another_process_reads_the_first_seconds_before_the_end_and_a_crash_leaves_them_readable(tmp_path):
    arguments = [write(tmp_path / "long.wav", music(200.0)), "-n", "bands", "-o", tmp_path / "out", "--stream"]
    part = tmp_path / "out" / "bands" / "long" / "vocals.part.wav"
    with subprocess.Popen(
        [sys.executable, "-m", "stream_sep", "separate", *arguments], stdout=subprocess.PIPE
    ) as program:
        try:
            deadline = time.monotonic() + 60
            while (seen := _frames_in(part)) < RATE and time.monotonic() < deadline:
                time.sleep(0.02)
        finally:
            program.kill()
    assert RATE <= seen < 200 * RATE
    with wave.open(str(part)) as file:  # which believes the header
        assert len(file.readframes(10**9)) == 4 * file.getnframes()
        assert file.getnframes() >= seen
    assert not part.with_name("vocals.wav").exists()


def _frames_in(path):
    with contextlib.suppress(FileNotFoundError, EOFError), wave.open(str(path)) as file:  # not there, or empty still
        return file.getnframes()
    return 0


def test_what_a_crash_left_is_gone_after_the_next_run(tmp_path):
    path = write(tmp_path / "a.wav", music())
    left = write(tmp_path / "out" / "htdemucs" / "a" / "drums.part.wav", music(3.0))
    (outcome,) = outcomes(job(tmp_path, stems=("drums",), stream=True), path)
    assert len(read(outcome.files[0])) == len(music())
    assert not left.exists()


def test_a_terminated_command_leaves_no_half_written_file(tmp_path):
    write(tmp_path / "songs" / "a.wav", music(0.2))
    write(tmp_path / "songs" / "long.wav", music(300.0))
    run = "import typer; from stream_sep.cli.separate import separate; typer.run(separate)"
    arguments = [sys.executable, "-c", run, str(tmp_path / "songs"), "-n", "bands", "-o", str(tmp_path / "out")]
    done = tmp_path / "out" / "bands"
    with subprocess.Popen([*arguments, "--cache-gb", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as program:
        deadline = time.monotonic() + 60
        while not (done / "long" / "vocals.raw.part.wav").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        program.terminate()
        program.communicate(timeout=60)
        assert program.returncode not in {0, 1}
    assert (done / "a" / "vocals.wav").is_file()
    assert not parts_left(done)
    assert not list((done / "long").iterdir())


# the cache


def test_stems_are_made_once_and_kept(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (again,) = outcomes(job(tmp_path, cache_gb=1.0, mixes=("k=drums+bass",)), path)
    np.testing.assert_allclose(read(again.files[0]), 0.75 * read(path), atol=1e-6)
    assert len(maker.log) == 1
    outcomes(job(tmp_path, cache_gb=0.0, overwrite=True), path)
    assert len(maker.log) == 2


def test_a_song_that_changed_is_not_taken_from_the_cache(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    write(path, 0.5 * music())
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 2


def test_a_copy_under_another_name_is_taken_from_the_cache(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    outcomes(job(tmp_path, cache_gb=1.0), Path(path.rename(tmp_path / "b.wav")))
    assert len(maker.log) == 1


def test_the_cache_keeps_to_its_limit_and_forgets_the_oldest(tmp_path):
    paths = [write(tmp_path / f"{k}.wav", (k + 1) * music(1.0)) for k in range(5)]  # 1.4 MB of stems each
    for age, path in enumerate(paths):
        outcomes(job(tmp_path, cache_gb=0.004), path)
        for entry in StemCache().entries():
            if entry.song == str(path):
                os.utime(entry.folder, (1000 + age, 1000 + age))
    kept = {Path(entry.song).name for entry in StemCache().entries()}
    assert kept == {"3.wav", "4.wav"}


def test_a_damaged_cache_is_not_used(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    for file in (tmp_path / "cache").rglob("drums.wav"):
        file.write_bytes(b"nothing")
    (outcome,) = outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert not outcome.error
    assert len(maker.log) == 2


def test_stems_in_the_cache_that_break_off_are_not_used(maker, tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (kept,) = (tmp_path / "cache").rglob("drums.wav")
    write(kept, read(kept)[:-1])
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert len(maker.log) == 2


def test_what_is_taken_from_the_cache_counts_as_used(tmp_path):
    path = write(tmp_path / "a.wav", music())
    outcomes(job(tmp_path, cache_gb=1.0), path)
    (entry,) = StemCache().entries()
    os.utime(entry.folder, (1000, 1000))
    outcomes(job(tmp_path, cache_gb=1.0, overwrite=True), path)
    assert StemCache().entries()[0].used > 1000


def test_a_song_that_would_fill_more_than_half_the_cache_is_not_kept(tmp_path):
    for seconds, songs in ((0.3, 1), (1.0, 1)):  # 0.4 MB and 1.4 MB of stems
        (outcome,) = outcomes(job(tmp_path, cache_gb=0.0015), write(tmp_path / f"{seconds}.wav", music(seconds)))
        assert not outcome.error
        assert [Path(entry.song).name for entry in StemCache().entries()] == ["0.3.wav"] * songs


def test_an_interrupted_song_leaves_nothing_in_the_cache(maker, tmp_path):
    maker._fail = [ValueError("broken")]
    outcomes(job(tmp_path, cache_gb=1.0), write(tmp_path / "a.wav", music(5.0)))
    assert not list((tmp_path / "cache").rglob("*.wav"))


@pytest.fixture
def moving(monkeypatch):
    """Have something done to a file just before its size is asked for, once."""

    def move(file, change):
        stat, waiting = Path.stat, [change]

        def moved_stat(path, **how):
            if path == file and waiting:
                waiting.pop()(file)
            return stat(path, **how)

        monkeypatch.setattr(Path, "stat", moved_stat)

    return move


def begun(tmp_path):
    folder = tmp_path / "cache" / "song"
    folder.mkdir(parents=True)
    (folder / PARTIAL_SONG).write_text("song.wav")
    return folder, write(folder / "drums.part.wav", music())


def test_a_stem_that_gets_its_final_name_while_the_cache_is_listed_is_listed(tmp_path, moving):
    folder, part = begun(tmp_path)
    size = part.stat().st_size
    moving(part, lambda file: file.rename(folder / "drums.wav"))
    (entry,) = StemCache(tmp_path / "cache").entries()
    assert (entry.stems, entry.size) == (("drums",), size)


def test_an_entry_that_goes_away_while_the_cache_is_listed_is_not_listed(tmp_path, moving):
    folder, part = begun(tmp_path)
    moving(part, lambda _: shutil.rmtree(folder))
    assert StemCache(tmp_path / "cache").entries() == []


# the command


def test_the_command_writes_and_tells_where(command, tmp_path):
    song = write(tmp_path / "a.wav", music())
    told = command("separate", song, "-o", tmp_path / "out", "--stems", "vocals,drums", "-f", "flac", "--bits", "24")
    assert told.exit_code == 0, told.output
    assert "1 separated" in told.output
    made = {path.name for path in (tmp_path / "out" / "htdemucs" / "a").iterdir()}
    assert made == {"drums.flac", "vocals.flac", RECORD}


def test_the_exit_code_tells_that_a_song_failed(command, tmp_path):
    song = write(tmp_path / "a.wav", music())
    told = command("separate", song, tmp_path / "none.wav")
    assert told.exit_code == 1
    assert "1 separated, 1 failed" in told.output
    assert "file not found: " in told.output


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [(("--executor", "cloud"), "neither local nor ray"), (("--address", "10.0.0.9:6379"), "add --executor ray")],
)
def test_executors_that_do_not_exist_are_refused(command, tmp_path, arguments, complaint):
    told = command("separate", write(tmp_path / "a.wav", music(0.1)), *arguments)
    assert complaint in str(told.exception)


def test_a_ray_cluster_is_used_at_its_address(command, tmp_path, monkeypatch):
    asked = {}

    def on_ray(tracks, _job, _report, **settings):
        asked.update(settings)
        return iter([(0, Outcome(tracks[0], error="it rained"))])

    monkeypatch.setattr(ray_batch, "separate_on_ray", on_ray)
    where = ("--executor", "ray", "--address", "10.0.0.9:6379", "-j", "3")
    told = command("separate", write(tmp_path / "a.wav", music(0.1)), *where)
    assert asked == {"address": "10.0.0.9:6379", "jobs": 3}
    assert "it rained" in told.output
    assert told.exit_code == 1


def test_the_cache_can_be_listed_and_cleared(command, tmp_path):
    command("separate", write(tmp_path / "a.wav", music()))
    assert "bass,drums,other,vocals" in command("cache", "list").output
    assert "stems of 1 songs" in command("cache", "clear").output
    assert "a.wav" not in command("cache", "list").output


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"stems": ("piano",)}, "no stem 'piano'"),
        ({"stems": ("vocals",), "two_stems": "bass"}, "leave one out"),
        ({"two_stems": "bass", "other_method": "guess"}, "add, minus, none"),
        ({"mixes": ("a=drums", "a=bass")}, "two files would be called 'a'"),
        ({"mixes": ("a=drums+",)}, "is not NAME=STEM"),
        ({"mixes": ("../a=drums",)}, "is not NAME=STEM"),
        ({"stems": ("vocals",), "residual": True}, "needs the stem 'other'"),
        ({"filename": "{track}.{ext}"}, "one name"),
        ({"filename": "{artist}/{stem}"}, "knows only"),
        ({"filename": "{stem"}, "no template"),
        ({"stream": True, "format": AudioFormat("flac")}, "readable only when whole"),
        ({"stream": True, "format": AudioFormat(clip="rescale")}, "take clamp"),
        ({"format": AudioFormat("stem.mp4"), "stems": ("vocals",)}, "always holds"),
    ],
    ids=str,
)
def test_jobs_that_make_no_sense_are_refused_in_a_sentence(tmp_path, settings, complaint):
    with pytest.raises(ConfigError, match=complaint.replace("(", r"\(")):
        SongSeparator(job(tmp_path, **settings))


@pytest.mark.parametrize(
    "settings",
    [{"shifts": -1}, {"overlap": 1.0}, {"segment": 0.0}, {"precision": "int8"}],
    ids=str,
)
def test_recipes_that_make_no_sense_are_refused(settings):
    with pytest.raises(ConfigError):
        SeparationSettings(**settings)


@pytest.mark.parametrize(("name", "bits", "kbps", "clip"), [("wma", 16, 320, "auto"), ("flac", 32, 320, "auto")])
def test_formats_that_do_not_exist_are_refused(name, bits, kbps, clip):
    with pytest.raises(ConfigError):
        AudioFormat(name, bits, kbps, clip)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_song_that_is_not_there_is_said_so_before_a_model_is_loaded(tmp_path, monkeypatch, jobs):
    monkeypatch.setattr(batch, "SongSeparator", lambda _: pytest.fail("a model was loaded"))
    tracks = find_tracks([tmp_path / "a.wav", tmp_path / "b.wav"], tmp_path / "out")
    outcomes = [outcome for _, outcome in separate_all(tracks, job(tmp_path), lambda *_: None, jobs=jobs)]
    assert [outcome.error for outcome in outcomes] == [f"file not found: {track.path}" for track in tracks]
