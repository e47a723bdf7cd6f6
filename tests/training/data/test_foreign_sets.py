"""Training sets of vocal removers: spectra in their format are read back as audio."""

import pickle

import numpy as np
import pytest
import soundfile
from requirements import require_package

from stream_sep.errors import AudioFileError, ConfigError
from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.training.data import folder_cache, h5_cache
from stream_sep.training.data.cache import RATE, map_song, read_index
from stream_sep.training.data.foreign_sets import align, import_set

require_package("torch", "train")

import torch

from stream_sep.training.data.store import load_dataset

CROP = 16


def sound(seed, frames=60_000):
    return 0.1 * np.random.default_rng(seed).standard_normal((2, frames)).astype(np.float32)


def spectra_of(wave):
    window = torch.hann_window(2048)
    return torch.stft(
        torch.from_numpy(wave), 2048, 1024, window=window, pad_mode="constant", return_complex=True
    ).numpy()


def write_patches(folder, name, x, y=None, divisor=1.0):
    """As the original does: cut, the last one padded with zeros, with the divisor that it keeps beside them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(-(-x.shape[2] // CROP)):
        part = {"X": x, "Y": y} if y is not None else {"X": x}
        cut = {key: value[:, :, number * CROP : (number + 1) * CROP] for key, value in part.items()}
        padded = {key: np.pad(value, ((0, 0), (0, 0), (0, CROP - value.shape[2]))) for key, value in cut.items()}
        beside = {} if divisor is None else {"c": divisor}
        np.savez(folder / f"{name}_p{number}.npz", **padded, **beside)


def sources(path, name):
    song = next(song for song in read_index(path) if song.name == name)
    frames = map_song(path, song)
    return {source: frames[row][:].T * np.float32(song.gain) for row, source in enumerate(song.stems)}


def error_db(found, expected):
    frames = min(found.shape[1], expected.shape[1]) - 2048  # the last frames of an STFT have no second window
    off = found[:, :frames] - expected[:, :frames]
    return 10 * np.log10(np.square(off).mean() / np.square(expected[:, :frames]).mean())


@pytest.mark.parametrize("kind", ["instruments", "vocals"])
def test_spectra_become_the_sound_again(tmp_path, kind):
    write_patches(tmp_path / "set/cs16_sr44100", "A song", spectra_of(sound(0)))
    assert import_set(tmp_path / "set", tmp_path / "cache", f"npz-{kind}", lambda _name: None) == 1
    found = sources(tmp_path / "cache", "A song")
    assert set(found) == {kind}
    assert error_db(found[kind], sound(0)) < -80
    assert abs(found[kind].shape[1] - 60_000) < 1024


def test_the_vocals_of_a_pair_are_the_difference(tmp_path):
    write_patches(tmp_path / "set", "B", spectra_of(sound(1) + sound(2)), spectra_of(sound(2)))
    import_set(tmp_path / "set", tmp_path / "c.h5", "npz-pairs", lambda _name: None)
    found = sources(tmp_path / "c.h5", "B")
    assert error_db(found["vocals"], sound(1)) < -80
    assert error_db(found["instruments"], sound(2)) < -80


@pytest.mark.parametrize("shift", [0, 700, -1234])
def test_pairs_are_aligned(tmp_path, shift):
    vocals, instruments = sound(3, RATE), sound(4, RATE)
    late = [
        np.pad(each, ((0, 0), (max(by, 0), 0))) for each, by in ((vocals + instruments, shift), (instruments, -shift))
    ]
    for folder, wave in zip(("mixtures", "instruments"), late, strict=True):
        (tmp_path / f"set/{folder}").mkdir(parents=True)
        soundfile.write(tmp_path / f"set/{folder}/song.wav", wave.T, RATE, subtype="FLOAT")
    import_set(tmp_path / "set", tmp_path / "cache", "pairs", lambda _name: None)
    found = sources(tmp_path / "cache", "song")
    assert error_db(found["vocals"], vocals) < -80
    assert [each.shape for each in align(*late)] == [(2, RATE)] * 2


def write_pairs(folder, names):
    """Mixtures of a song's own instruments, each an octave of noise louder than the one before."""
    for number, (mixture, instruments) in enumerate(names):
        for name, seeds in (
            (f"mixtures/{mixture}", (2 * number, 2 * number + 1)),
            (f"instruments/{instruments}", (2 * number,)),
        ):
            path = folder / f"{name}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, sum(sound(seed, 20_000) for seed in seeds).T, RATE, subtype="FLOAT")


def test_pairs_are_matched_by_name_in_any_order(tmp_path):
    names = [("b_mix", "B_inst"), ("Ba", "Ba"), ("a - song - Mixture", "a - song_Instrumental")]
    write_pairs(tmp_path / "set", names)
    assert import_set(tmp_path / "set", tmp_path / "cache", "pairs", lambda _name: None) == 3
    for number, (mixture, _) in enumerate(names):
        assert error_db(sources(tmp_path / "cache", mixture)["vocals"], sound(2 * number + 1, 20_000)) < -60


def test_halves_without_the_other_are_named(tmp_path):
    write_pairs(tmp_path / "set", [("a", "a"), ("b", "c")])
    with pytest.raises(AudioFileError, match=r"not have the instruments of b\.wav and the mixtures of c\.wav"):
        import_set(tmp_path / "set", tmp_path / "cache", "pairs", lambda _name: None)
    write_pairs(tmp_path / "twice", [("a", "a"), ("a_mix", "b")])
    with pytest.raises(AudioFileError, match=r"a_mix\.wav and a\.wav are of one song"):
        import_set(tmp_path / "twice", tmp_path / "cache", "pairs", lambda _name: None)


def test_instrumentals_and_voices_train_for_vocals_and_instruments(tmp_path):
    for kind, seeds in (("instruments", (5, 6)), ("vocals", (7, 8))):
        (tmp_path / kind).mkdir()
        for seed in seeds:
            soundfile.write(tmp_path / f"{kind}/Artist {seed} - Song.wav", sound(seed).T, RATE)
        assert import_set(tmp_path / kind, tmp_path / f"{kind}.h5", kind, lambda _name: None) == 2
        assert import_set(tmp_path / kind, tmp_path / f"{kind}.h5", kind, lambda _name: None) == 0
    caches = [(tmp_path / f"{kind}.h5", 1.0) for kind in ("instruments", "vocals")]
    load = {"validation": False, "percent": 0, "device": torch.device("cpu")}
    dataset = load_dataset(caches, **load, groups=SourceGroups.preset("vocals-instruments"))
    assert {stem: samples.songs for stem, samples in dataset.stems.items()} == {"vocals": 2, "instruments": 2}
    with pytest.raises(ConfigError, match="has 'drums'"):
        load_dataset(caches, **load, groups=FOUR)


@pytest.mark.parametrize("kind", ["npz-instruments", "instruments"])
def test_an_import_writes_a_file_once_and_nothing_twice(tmp_path, monkeypatch, kind):
    for number in range(3):
        write_patches(tmp_path / "set", f"S{number}", spectra_of(sound(number, 20_000)))
        soundfile.write(tmp_path / f"set/S{number}.wav", sound(number, 20_000).T, RATE)
    written, decoded, write, add = [], [], h5_cache._write, folder_cache._add
    monkeypatch.setattr(h5_cache, "_write", lambda *given: written.append(given) or write(*given))
    monkeypatch.setattr(folder_cache, "_add", lambda *given: decoded.append(given) or add(*given))
    received = []
    assert import_set(tmp_path / "set", tmp_path / "c.h5", kind, received.append) == 3
    assert received == ["S0", "S1", "S2"]
    assert import_set(tmp_path / "set", tmp_path / "c.h5", kind, received.append) == 0
    assert (len(written), len(decoded)) == (1, 3)


@pytest.mark.parametrize("name", ["cache", "c.h5"])
def test_songs_that_cannot_be_imported_are_named_and_the_others_added(tmp_path, name):
    for number in range(3):
        write_patches(tmp_path / "set", f"S{number}", spectra_of(sound(number, 20_000)))
    (tmp_path / "set/S0_p0.npz").write_bytes(b"no spectra")
    with pytest.raises(AudioFileError, match="1 of 3 songs could not be added, the others were") as caught:
        import_set(tmp_path / "set", tmp_path / name, "npz-vocals", lambda _name: None)
    assert "S0_p0.npz cannot be read as spectra" in str(caught.value)
    assert [song.name for song in read_index(tmp_path / name)] == ["S1", "S2"]


VOICE, BAND, NOTHING = sound(20, 40_000), sound(21, 40_000), np.zeros((2, 40_000), np.float32)
RULES = {
    "an instrumental is all but the vocals": ("instruments", BAND, None, {"instruments": BAND}, ("vocals",)),
    "Y of an instrumental is not used": ("instruments", BAND, VOICE, {"instruments": BAND}, ("vocals",)),
    "of a voice, nothing else is given": ("vocals", VOICE, None, {"vocals": VOICE}, ()),
    "X of a pair is the mix, Y the band": ("pairs", VOICE + BAND, BAND, {"vocals": VOICE, "instruments": BAND}, ()),
    "a pair can have no vocals": ("pairs", BAND, BAND, {"vocals": NOTHING, "instruments": BAND}, ()),
    "a pair can be a voice alone": ("pairs", VOICE, NOTHING, {"vocals": VOICE, "instruments": NOTHING}, ()),
}
DIVISORS = {
    "the peak of the spectrum, of instrumentals and pairs": lambda wave: np.abs(spectra_of(wave)).max(),
    "the peak of the waveform, of voices": lambda wave: np.abs(wave).max(),
    "none": lambda _wave: None,
    "zero": lambda _wave: 0.0,
}


@pytest.mark.parametrize("divisor", DIVISORS)
@pytest.mark.parametrize("rule", RULES)
def test_what_spectra_become_and_that_their_divisor_changes_nothing(tmp_path, rule, divisor):
    kind, x, y, expected, silent = RULES[rule]
    write_patches(tmp_path / "set", "A", spectra_of(x), None if y is None else spectra_of(y), DIVISORS[divisor](x))
    import_set(tmp_path / "set", tmp_path / "cache", f"npz-{kind}", lambda _name: None)
    found = sources(tmp_path / "cache", "A")
    assert read_index(tmp_path / "cache")[0].silent == silent
    assert set(found) == set(expected)
    for source, wave in expected.items():
        assert error_db(found[source], wave) < -80 if wave.any() else not found[source].any()


def test_parts_of_two_folders_are_not_one_song(tmp_path):
    for offset in (0, 512):
        write_patches(tmp_path / f"set/cs16_sr44100_hl1024_nf2048_of{offset}", "A", spectra_of(sound(0)[:, offset:]))
    with pytest.raises(AudioFileError, match=r"'A' are in .*of0 and in .*of512; import one of these folders"):
        import_set(tmp_path / "set", tmp_path / "cache", "npz-vocals", lambda _name: None)
    one = tmp_path / "set/cs16_sr44100_hl1024_nf2048_of512"
    assert import_set(one, tmp_path / "cache", "npz-vocals", lambda _name: None) == 1
    assert error_db(sources(tmp_path / "cache", "A")["vocals"], sound(0)[:, 512:]) < -80


def test_a_missing_part_and_other_spectra_are_refused(tmp_path):
    write_patches(tmp_path / "set", "A", spectra_of(sound(0)))
    (tmp_path / "set/A_p1.npz").unlink()
    with pytest.raises(AudioFileError, match=r"no part 1 before .*A_p2.npz"):
        import_set(tmp_path / "set", tmp_path / "cache", "npz-vocals", lambda _name: None)
    write_patches(tmp_path / "other/cs16_sr22050_hl512_nf2048_of0", "A", spectra_of(sound(0)))
    with pytest.raises(AudioFileError, match="has spectra of 22050 Hz, 2048 frames every 512"):
        import_set(tmp_path / "other", tmp_path / "cache", "npz-vocals", lambda _name: None)


@pytest.mark.parametrize(("kind", "silent"), [("instruments", ("vocals",)), ("vocals", ()), ("pairs", ())])
def test_vocals_are_silent_in_instrumentals_only(tmp_path, kind, silent):
    write_patches(tmp_path / "set", "A", spectra_of(sound(0)), spectra_of(sound(1)))
    import_set(tmp_path / "set", tmp_path / "cache", f"npz-{kind}", lambda _name: None)
    assert read_index(tmp_path / "cache")[0].silent == silent


class Evil:
    def __reduce__(self):
        return print, ("executed",)


@pytest.mark.parametrize(
    ("kind", "error", "words"),
    [
        ("midi", ConfigError, "choose from instruments"),
        ("vocals", AudioFileError, "no song of the kind 'vocals'"),
        ("npz-vocals", AudioFileError, "cannot be read as spectra"),
        ("pairs", AudioFileError, "does not have the instruments of a.wav; name both"),
    ],
)
def test_what_is_no_set_gives_one_error_message_and_runs_nothing(tmp_path, capsys, kind, error, words):
    (tmp_path / "set/mixtures").mkdir(parents=True)
    soundfile.write(tmp_path / "set/mixtures/a.wav", sound(0, 100).T, RATE)
    (tmp_path / "set/a_p0.npz").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(error, match=words):
        import_set(tmp_path / "set", tmp_path / "cache", kind, lambda _name: None)
    assert "executed" not in capsys.readouterr().out


def test_spectra_of_other_sizes_and_lone_halves_are_refused(tmp_path):
    write_patches(tmp_path / "a", "A", spectra_of(sound(0))[:, :513])
    with pytest.raises(AudioFileError, match=r"not contain spectra X of \(2, 1025, frames\)"):
        import_set(tmp_path / "a", tmp_path / "cache", "npz-vocals", lambda _name: None)
    write_patches(tmp_path / "b", "B", spectra_of(sound(0)))
    with pytest.raises(AudioFileError, match="does not contain Y"):
        import_set(tmp_path / "b", tmp_path / "cache", "npz-pairs", lambda _name: None)
