"""Songs of every kind, read to their true end."""

import contextlib
import struct
import subprocess

import numpy as np
import pytest
import soundfile
from song_files import RATE, SHARES, job, music, outcomes, parts_left, read, write

from stream_sep.errors import AudioFileError
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song import open_song
from stream_sep.files.song_statistics import measure_song
from stream_sep.files.tags import Tags, read_tags

pytestmark = pytest.mark.usefixtures("maker")


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


def test_mono_goes_to_both_channels(tmp_path):
    song = music(channels=1)
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song))
    np.testing.assert_allclose(read(outcome.files[0]), np.repeat(0.5 * song, 2, axis=1), atol=1e-6)


def test_five_channels_are_mixed_down_and_are_reported(tmp_path):
    song = np.zeros((1000, 5), np.float32)
    song[:, 0], song[:, 4] = 0.5, 0.5  # left and right surround
    (outcome,) = outcomes(job(tmp_path, stems=("drums",)), write(tmp_path / "a.wav", song))
    left, right = read(outcome.files[0])[500]
    assert left == pytest.approx(right / 0.7071, rel=1e-3)
    assert left > 0
    assert "5 channels" in outcome.notes[0]


def test_seven_channels_are_refused_with_a_message(tmp_path):
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", music(channels=7)))
    assert "7 channels" in outcome.error


def test_numbers_that_are_not_finite_are_silence(tmp_path):
    song = music()
    song[100], song[200] = np.nan, np.inf
    (outcome,) = outcomes(job(tmp_path), write(tmp_path / "a.wav", song))
    song[[100, 200]] = 0.0
    for file, share in zip(outcome.files, SHARES, strict=True):
        np.testing.assert_allclose(read(file), share * song, atol=1e-6)


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


def test_broken_songs_fail_with_a_message_each_and_the_rest_goes_on(tmp_path):
    broken = broken_songs(tmp_path / "songs")
    write(tmp_path / "songs" / "good.wav", music())
    by_name = {o.track.path.name: o for o in outcomes(job(tmp_path), tmp_path / "songs", tmp_path / "missing.wav")}
    assert {name for name, outcome in by_name.items() if outcome.error} == broken | {"missing.wav"}
    assert all("please report" not in outcome.error for outcome in by_name.values())
    assert by_name["good.wav"].files[0].is_file()
    assert not parts_left(tmp_path / "out")
    assert {path.parent.name for path in (tmp_path / "out").rglob("*.wav")} == {"good"}


# regardless of the header


def read_whole(path):
    notes = []
    statistics = measure_song(open_song(path).blocks(RATE, notes.append))
    return statistics.frames / RATE, notes


@pytest.fixture
def plain(tmp_path):
    return write(tmp_path / "plain.wav", music(6.0), subtype="PCM_16")


def test_an_mp3_that_was_cut_ends_where_it_ends_and_is_reported(ffmpeg, tmp_path, plain):
    song = tmp_path / "a.mp3"
    ffmpeg("-i", plain, "-b:a", "128k", song)
    song.write_bytes(song.read_bytes()[:40_000])
    seconds, notes = read_whole(song)
    assert 2 < seconds < 3
    assert "of 6.0 s that its header counts" in notes[0]


@pytest.mark.usefixtures("ffmpeg")
@pytest.mark.parametrize("kind", ["mp3", "flac", "webm", "wav"])
def test_what_came_through_a_pipe_and_counts_nothing_is_read_whole(tmp_path, plain, kind):
    song = tmp_path / f"a.{kind}"
    with song.open("wb") as file:
        subprocess.run(["ffmpeg", "-v", "error", "-i", plain, "-f", kind, "-"], stdout=file, check=True)
    seconds, notes = read_whole(song)
    assert seconds == pytest.approx(6.0, abs=0.1)
    assert notes == []


@pytest.mark.parametrize("kind", ["mp3", "ogg", "opus", "flac", "oga", "aac"])
def test_files_that_were_joined_are_read_to_the_last(tmp_path, plain, ffmpeg, kind):
    codec = {"oga": ["-c:a", "flac"]}.get(kind, [])
    one, song = tmp_path / f"one.{kind}", tmp_path / f"a.{kind}"
    ffmpeg("-i", plain, *codec, one)
    song.write_bytes(2 * one.read_bytes())
    assert read_whole(song)[0] == pytest.approx(12.0, abs=0.2)


def test_joined_files_of_other_rates_and_channels_keep_their_length(tmp_path, plain, ffmpeg):
    one, other, song = (tmp_path / f"{name}.mp3" for name in ("one", "other", "a"))
    ffmpeg("-i", plain, one)
    ffmpeg("-i", plain, "-ac", "1", "-ar", "22050", other)
    song.write_bytes(one.read_bytes() + other.read_bytes())
    assert read_whole(song)[0] == pytest.approx(12.0, abs=0.3)


SIZES = {  # where each container counts the bytes of its sound: a text before the number, its offset, its format
    "WAV": (b"data", 4, "I"),
    "WAVEX": (b"data", 4, "I"),
    "RF64": (b"ds64", 16, "Q"),
    "W64": (b"data\xf3", 16, "Q"),
    "AIFF": (b"SSND", 4, "I"),
    "CAF": (b"data", 4, "q"),
    "AU": (b"", 8, "I"),
    "SVX": (b"BODY", 4, "I"),
}
BIG = {"AIFF", "CAF", "AU", "SVX"}  # whose numbers are big-endian
CONTAINERS = [
    *(("WAV", subtype, "FILE") for subtype in ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW")),
    *((kind, "PCM_16", "FILE") for kind in ("WAVEX", "RF64", "W64", "AIFF", "CAF", "AU", "SVX")),
    *((kind, "PCM_24", "LITTLE") for kind in ("AIFF", "CAF", "AU")),
    *(("AIFF", subtype, "FILE") for subtype in ("PCM_S8", "FLOAT", "ALAW")),
    ("WAV", "PCM_16", "BIG"),
    ("CAF", "ALAC_16", "FILE"),
]


def of_kind(path, kind, subtype="PCM_16", endian="FILE"):
    channels, rate = (1, 16000) if kind == "SVX" else (2, RATE)
    soundfile.write(path, music(6.0, channels, rate), rate, subtype=subtype, endian=endian, format=kind)
    return path


def count(path, kind, number, endian="FILE"):
    """Write another size of the sound in the header."""
    data, (before, offset, form) = bytearray(path.read_bytes()), SIZES[kind]
    order = ">" if kind in BIG - {"AU"} or endian == "BIG" or data[:4] == b".snd" else "<"
    struct.pack_into(order + form, data, data.index(before) + offset, number)
    path.write_bytes(data)


def sound_of(path, notes=None):
    song = open_song(path)
    return np.concatenate([*song.blocks(song.sample_rate, (notes if notes is not None else []).append)], axis=1)


@pytest.mark.parametrize(("kind", "subtype", "endian"), CONTAINERS)
def test_sound_behind_the_count_of_its_header_is_read_to_its_end(tmp_path, kind, subtype, endian):
    song, notes = of_kind(tmp_path / "a", kind, subtype, endian), []
    whole = sound_of(song)
    count(song, kind, 100_003, endian)
    np.testing.assert_array_equal(sound_of(song, notes), whole)
    assert len(notes) == 1
    assert "goes on after" in notes[0]
    assert notes[0].endswith("the rest was read as players do")


@pytest.mark.parametrize(("kind", "subtype", "endian"), CONTAINERS)
@pytest.mark.parametrize("number", [0, -1])
def test_sound_that_its_header_does_not_count_is_read_to_its_end(tmp_path, kind, subtype, endian, number):
    song = of_kind(tmp_path / "a", kind, subtype, endian)
    whole = sound_of(song)
    largest = 2 ** (8 * struct.calcsize(SIZES[kind][2])) - 1
    count(song, kind, number if number == 0 or kind == "CAF" else largest, endian)
    np.testing.assert_array_equal(sound_of(song), whole)


@pytest.mark.parametrize("kind", ["AIFF", "WAV", "RF64", "CAF", "W64"])
def test_a_count_that_is_right_is_right_in_front_of_other_chunks(tmp_path, kind):
    song, notes = of_kind(tmp_path / "a", kind), []
    whole = sound_of(song)
    size = struct.pack({"AIFF": ">I", "CAF": ">q", "W64": "<Q"}.get(kind, "<I"), 200_000)
    name = b"APPL" + (bytes(12) if kind == "W64" else b"")
    song.write_bytes(song.read_bytes() + name + size + bytes(range(250)) * 800)
    np.testing.assert_array_equal(sound_of(song, notes), whole)
    assert notes == []


def test_a_few_seconds_of_speech_behind_the_count_are_no_trailer(tmp_path):
    song = tmp_path / "a.wav"
    soundfile.write(song, music(6.0, 1, 8000), 8000, subtype="PCM_U8")
    count(song, "WAV", 16_000)
    assert sound_of(song).shape[1] == 48_000


def test_a_count_of_32_bits_that_overflowed_is_no_length(tmp_path):
    song, size = of_kind(tmp_path / "a.wav", "WAV"), 2**32 + 40_000
    count(song, "WAV", 40_000)
    with song.open("r+b") as file:
        file.truncate(size)  # a hole, which takes no space
    assert open_song(song).seconds == pytest.approx(size / 4 / RATE, abs=0.01)


@pytest.mark.usefixtures("ffmpeg")
@pytest.mark.parametrize("number", [0, 40_000])
@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_compressed_sound_behind_the_count_of_a_wav_file_is_read_to_its_end(tmp_path, subtype, number):
    song, notes = tmp_path / "a.wav", []
    soundfile.write(song, music(6.0, 1), RATE, subtype=subtype)
    count(song, "WAV", number)
    assert sound_of(song, notes).shape[1] == pytest.approx(6.0 * RATE, abs=3000)
    assert notes[-1].endswith("the rest was read as players do")
    assert not any("ends after" in note for note in notes)


def test_compressed_sound_that_cannot_be_read_to_its_end_is_reported(tmp_path, plain, ffmpeg):
    song, notes = tmp_path / "a.aiff", []
    ffmpeg("-i", plain, "-c:a", "adpcm_ima_qt", song)
    count(song, "AIFF", 68_008)
    seconds = sound_of(song, notes).shape[1] / RATE
    assert notes == [f"{song} goes on after the {seconds:.1f} s that its header counts; the rest cannot be read"]
    assert seconds < 2


def test_compressed_sound_that_is_not_counted_as_its_packets_are_is_refused(tmp_path, plain, ffmpeg):
    song = tmp_path / "a.caf"
    ffmpeg("-i", plain, "-c:a", "adpcm_ima_qt", song)
    count(song, "CAF", 68_008)
    with pytest.raises(AudioFileError, match="damaged"):
        sound_of(song)


def test_what_only_libsndfile_reads_is_read_where_ffmpeg_is_installed(tmp_path, ffmpeg):
    del ffmpeg
    song = tmp_path / "a.w64"
    soundfile.write(song, music(2.0), RATE, subtype="IMA_ADPCM", format="W64")
    assert read_whole(song)[0] == pytest.approx(2.0, abs=0.1)


def test_a_flac_file_that_goes_on_behind_its_count_is_read_to_its_end(tmp_path, plain, ffmpeg):
    song = tmp_path / "a.flac"
    ffmpeg("-i", plain, song)
    data = bytearray(song.read_bytes())
    struct.pack_into(">I", data, 22, 100_000)  # the low 32 bits of the count of samples
    song.write_bytes(data)
    seconds, notes = read_whole(song)
    assert seconds == pytest.approx(6.0, abs=1e-3)
    assert "goes on after" in notes[0]


def test_without_ffmpeg_a_wav_file_that_goes_on_is_read_and_a_flac_file_is_refused(tmp_path, plain, monkeypatch):
    flac = tmp_path / "a.flac"
    soundfile.write(flac, music(6.0), RATE, subtype="PCM_16")
    data = bytearray(flac.read_bytes())
    struct.pack_into(">I", data, 22, 100_000)
    flac.write_bytes(data)
    count(plain, "WAV", 100_000)
    monkeypatch.setenv("PATH", "")
    assert read_whole(plain)[0] == 6.0
    with pytest.raises(AudioFileError, match="goes on after"):
        read_whole(flac)


@pytest.mark.parametrize("kind", ["wav", "aiff", "w64"])
def test_a_file_that_was_cut_ends_where_it_ends_and_is_reported(tmp_path, kind):
    song = tmp_path / f"a.{kind}"
    soundfile.write(song, music(6.0), RATE, subtype="PCM_16", format=kind.upper())
    song.write_bytes(song.read_bytes()[:500_000])
    seconds, notes = read_whole(song)
    assert seconds == pytest.approx(500_000 / 4 / RATE, abs=0.01)
    assert "ends after 2.8 s, of 6.0 s" in notes[0]


def test_chunks_behind_the_sound_are_no_sound(plain):
    plain.write_bytes(plain.read_bytes() + b"id3 " + struct.pack("<I", 200_000) + bytes(200_000))
    assert read_whole(plain) == (6.0, [])


@pytest.mark.usefixtures("ffmpeg")
@pytest.mark.parametrize("subtype", ["GSM610", "IMA_ADPCM", "MS_ADPCM", "ULAW"])
def test_codings_of_telephones_are_read(tmp_path, subtype):
    song = tmp_path / "a.wav"
    soundfile.write(song, music(3.0)[:, :1], RATE, subtype=subtype)
    assert read_whole(song)[0] == pytest.approx(3.0, abs=0.1)


def test_an_ogg_file_is_the_same_with_ffmpeg_and_without(tmp_path, plain, ffmpeg, monkeypatch):
    song = tmp_path / "a.ogg"
    ffmpeg("-i", plain, song)
    blocks = [np.concatenate([*open_song(song).blocks(RATE)], axis=1)]
    monkeypatch.setenv("PATH", "")
    blocks.append(np.concatenate([*open_song(song).blocks(RATE)], axis=1))
    np.testing.assert_array_equal(*blocks)


@pytest.mark.parametrize("damage", ["throughout", "one place"])
def test_a_damaged_mp4_gives_an_error_message_and_ends(tmp_path, plain, ffmpeg, damage):
    song = tmp_path / "a.m4a"
    ffmpeg("-i", plain, "-movflags", "+faststart", song)
    data, rng = bytearray(song.read_bytes()), np.random.default_rng(0)
    begin = data.index(b"mdat") + 2000
    for at in range(begin, len(data) - 500, 350 if damage == "throughout" else 10**9):
        data[at : at + 60] = rng.integers(0, 256, 60, np.uint8).tobytes()
    song.write_bytes(data)
    with pytest.raises(AudioFileError, match="damaged"):
        read_whole(song)


def test_samples_that_are_not_finite_are_counted(tmp_path):
    song = music(0.5)
    song[100], song[200, 0] = np.nan, np.inf
    seconds, notes = read_whole(write(tmp_path / "a.wav", song))
    assert seconds == 0.5
    assert "holds 3 samples that are NaN or infinite" in notes[0]


# files that are no songs


PLAYLISTS = {
    "m3u8": "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:3,\n{other}\n#EXT-X-ENDLIST\n",
    "ffconcat": "ffconcat version 1.0\nfile '{other}'\n",
    "sdp": "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 9999 RTP/AVP 0\n",
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
    "<Representation><BaseURL>{other}</BaseURL></Representation></AdaptationSet></Period></MPD>",
}


def test_text_is_refused_by_its_own_name(tmp_path, ffmpeg):
    del ffmpeg  # without it, libsndfile's message is printed
    song = tmp_path / "song.mp3"
    song.write_text("not audio")
    with pytest.raises(AudioFileError) as caught:
        read_whole(song)
    assert str(caught.value).count(str(song)) == 1
    assert "file:" not in str(caught.value)


@pytest.mark.parametrize("ending", ["mp3", "flac", "m4a", "wav"])
@pytest.mark.parametrize("kind", PLAYLISTS)
def test_playlists_are_no_songs(tmp_path, plain, ffmpeg, kind, ending):
    other = tmp_path / "secret.mp3"
    ffmpeg("-i", plain, other)
    song = tmp_path / f"song.{ending}"
    song.write_text(PLAYLISTS[kind].format(other=other))
    with pytest.raises(AudioFileError):
        read_whole(song)
    with contextlib.suppress(AudioFileError):
        assert read_tags(song) == Tags()
