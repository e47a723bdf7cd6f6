"""From songs of any sources to the groups of a training: Slakh2100, silent sources, sums, and second voices."""

import numpy as np
import pytest
import soundfile
from requirements import require_package

from stream_sep.errors import ConfigError
from stream_sep.evaluation.validation_split import is_validation
from stream_sep.separators.source_groups import FOUR, SourceGroups
from stream_sep.training.data.cache import RATE, build_cache, read_index
from stream_sep.training.data.layouts import find_stem_songs
from stream_sep.training.data.slakh import slakh_source

require_package("torch", "train")

import torch

from stream_sep.training.data.remix import MixConfig, RemixSampler
from stream_sep.training.data.store import SILENT, load_dataset
from stream_sep.training.losses import StemLoss, volume_weights
from stream_sep.training.validation import whole_song

CPU = torch.device("cpu")
PROGRAMS = {
    "S00": ("drums", 0, True),
    "S01": ("bass", 33, False),
    "S02": ("piano", 1, False),
    "S03": ("guitar", 25, False),
}


def noise(seed, seconds=1.0):
    return (0.1 * np.random.default_rng(seed).standard_normal(int(seconds * 16000))).astype(np.float32)


def write_track(folder, number, uuid, unrendered=""):
    """A track as Slakh2100 has them: mono, with metadata of every stem, one of which may have no file."""
    track = folder / f"Track{number:05}"
    (track / "stems").mkdir(parents=True)
    lines = [f"UUID: {uuid}", "audio_dir: stems", "stems:"]
    for row, (stem, (name, program, is_drum)) in enumerate(PROGRAMS.items()):
        lines += [
            f"  {stem}:",
            f"    audio_rendered: {str(stem != unrendered).lower()}",
            f"    inst_class: {name.title()}",
        ]
        lines += [f"    is_drum: {str(is_drum).lower()}", "    midi_program_name: ''", f"    program_num: {program}"]
        if stem != unrendered:
            soundfile.write(track / f"stems/{stem}.flac", noise(10 * number + row), 16000)
    (track / "metadata.yaml").write_text("\n".join([*lines, "target_peak: -1.0"]) + "\n")


@pytest.fixture(scope="module")
def slakh(tmp_path_factory):
    """A cache of eight tracks, two of which are renderings of one MIDI file, and one lacks a stem."""
    folder = tmp_path_factory.mktemp("slakh")
    for number in range(8):
        write_track(folder / "train", number, f"uuid{max(number, 1)}", "S03" if number == 5 else "")
    build_cache(find_stem_songs(folder, "slakh"), folder / "cache")
    return folder / "cache"


def load(cache, groups, percent=0, *, validation=False):
    return load_dataset([(cache, 1.0)], validation=validation, percent=percent, device=CPU, groups=groups)


def test_a_cache_keeps_every_instrument_and_what_is_silent(slakh):
    songs = {song.name: song for song in read_index(slakh)}
    assert set(songs["uuid3 - Track00003"].stems) == {"drums", "bass", "piano", "guitar"}
    assert {"vocals", "strings"} <= set(songs["uuid3 - Track00003"].silent)
    assert "guitar" in songs["uuid5 - Track00005"].silent


@pytest.mark.parametrize("percent", [10, 30, 50, 70])
def test_renderings_of_one_midi_file_are_on_one_side_of_the_split(slakh, percent):
    sides = {is_validation(song.name, percent) for song in read_index(slakh) if song.name.startswith("uuid1 - ")}
    assert len(sides) == 1


def test_four_stems_train_where_nobody_sings(slakh):
    dataset = load(slakh, FOUR)
    assert dataset.stems["vocals"].songs == 0
    assert (dataset.whole[:, 0] == SILENT).all()
    stems = RemixSampler(dataset, MixConfig(missing_stem_probability=0.0), torch.Generator()).sample(8, 4000).stems
    assert not stems[:, 0].any()
    assert (stems[:, 1:].abs().amax(dim=(2, 3)) > 0).float().mean() > 0.8


def test_a_group_is_the_sum_of_its_sources(slakh):
    pair, band = load(slakh, SourceGroups.preset("drums-no_drums")), load(slakh, SourceGroups.preset("band"))
    for row, name in enumerate(pair.names):
        one, other = whole_song(pair, row), whole_song(band, band.names.index(name))
        by_name = dict(zip(band.stems, other, strict=True))
        assert torch.allclose(one[0], by_name["drums"])
        rest = by_name["piano"] + by_name["guitar"] + by_name["bass"] + by_name["other"]
        assert torch.allclose(one[1], rest, atol=1e-6)


def test_a_stem_that_is_silent_in_one_song_is_so_in_its_mix_only(slakh):
    band = load(slakh, SourceGroups.preset("band"))
    row = band.names.index("uuid5 - Track00005")
    guitar = list(band.stems).index("guitar")
    assert band.whole[row, guitar] == SILENT
    assert not whole_song(band, row)[guitar].any()
    assert band.stems["guitar"].songs == 7


def test_an_unavailable_group_is_reported_with_the_available_ones(slakh):
    groups = SourceGroups.from_table({"theremin": ["theremin"], "other": ["rest"]})
    with pytest.raises(ConfigError, match=r"has 'theremin'; the caches have bass, brass.*change groups"):
        load(slakh, groups)


def test_volume_weights_make_groups_count_alike(slakh):
    assert volume_weights(torch.tensor([1.0, 2.41])).tolist() == pytest.approx([0.707, 0.293], abs=1e-3)
    dataset = load(slakh, SourceGroups.preset("drums-no_drums"))
    weights = volume_weights(dataset.norms)
    assert float(weights[0]) == pytest.approx(
        3**0.5 / (1 + 3**0.5), abs=0.02
    )  # three are as loud as the root of three
    loss = StemLoss("volume", 0.0, weights)
    stems = torch.randn(2, 2, 2, 4000, generator=torch.Generator().manual_seed(0))
    off = [loss(stems + torch.eye(2)[row][None, :, None, None], stems) for row in range(2)]
    assert float(off[0] / off[1]) == pytest.approx(float(weights[0] / weights[1]), rel=1e-4)


@pytest.mark.parametrize("silence", [0.0, 1e-6])
def test_a_silent_stem_has_no_weight(silence):
    weights = volume_weights(torch.tensor([silence, 1.0, 2.41])).tolist()
    assert weights == pytest.approx([0.0, 0.707, 0.293], abs=1e-3)
    with pytest.raises(ConfigError, match="every stem is silent"):
        volume_weights(torch.zeros(4))


def test_four_stems_count_alike_where_nobody_sings(slakh):
    weights = volume_weights(load(slakh, FOUR).norms)
    assert weights[0] == 0
    assert (weights[1:] > 0.1).all()
    loss = StemLoss("volume", 0.0, weights)
    stems = torch.randn(2, 4, 2, 4000, generator=torch.Generator().manual_seed(0))
    off = [loss(stems + torch.eye(4)[row][None, :, None, None], stems) for row in range(4)]
    assert off[0] == 0
    assert min(off[1:]) > 0


def test_a_second_voice_is_in_the_vocals_and_so_in_the_mix(tmp_path):
    rng = np.random.default_rng(0)
    for number in range(3):
        for stem in ("vocals", "drums", "bass", "other"):
            path = tmp_path / f"songs/A{number} - S/{stem}.wav"
            path.parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(path, 0.1 * rng.standard_normal((RATE, 2)), RATE)
    build_cache(find_stem_songs(tmp_path / "songs"), tmp_path / "cache")
    dataset = load(tmp_path / "cache", FOUR)
    mixes = [
        RemixSampler(dataset, MixConfig(speed=0.0, extra_vocals=share), torch.Generator().manual_seed(3))
        .sample(40, 2000)
        .stems
        for share in (0.0, 1.0)
    ]
    assert torch.equal(mixes[0][:, 1:], mixes[1][:, 1:])
    assert mixes[1][:, 0].square().sum() > 1.1 * mixes[0][:, 0].square().sum()


@pytest.mark.parametrize(
    ("program", "source"),
    [
        (0, "piano"),
        (8, "chromatic"),
        (25, "guitar"),
        (39, "bass"),
        (53, "choir"),
        (55, "strings"),
        (118, "percussive"),
    ],
)
def test_programs_are_the_sources_of_general_midi(program, source):
    assert slakh_source({"is_drum": "false", "program_num": str(program)}) == source
