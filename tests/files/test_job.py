"""Valid and invalid jobs."""

from pathlib import Path

import pytest
from song_files import job, music, outcomes, write

from stream_sep.errors import ConfigError
from stream_sep.files.formats import AudioFormat
from stream_sep.files.job import SeparationJob
from stream_sep.files.settings import SeparationSettings
from stream_sep.files.song_separator import SongSeparator
from stream_sep.files.tracks import Track

pytestmark = pytest.mark.usefixtures("maker")


def test_the_template_names_files(tmp_path):
    settings = job(tmp_path, filename="x/{track}-{trackext}_{stem}.{ext}", stems=("drums",))
    (outcome,) = outcomes(settings, write(tmp_path / "a.b.wav", music()))
    assert outcome.files == (tmp_path / "out" / "htdemucs" / "x" / "a.b-wav_drums.wav",)


@pytest.mark.parametrize(
    ("model", "folder"),
    [("htdemucs", "htdemucs"), ("hf://someone/something", "someone_something"), ("mine:make", "mine_make")],
)
def test_the_folder_of_a_model_has_a_name_that_every_system_takes(tmp_path, model, folder):
    target = SeparationJob(settings=SeparationSettings(model=model), out=tmp_path).target(
        Track(Path("a.wav"), Path("x"), "a"), "vocals"
    )
    assert target == tmp_path / folder / "x" / "a" / "vocals.wav"


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
        ({"filename": "{artist}/{stem}"}, "unknown field"),
        ({"filename": "{stem"}, "invalid --filename"),
        ({"stream": True, "format": AudioFormat("flac")}, "readable only when whole"),
        ({"stream": True, "format": AudioFormat(clip="rescale")}, "use --clip-mode clamp"),
        ({"format": AudioFormat("stem.mp4"), "stems": ("vocals",)}, "always holds"),
    ],
    ids=str,
)
def test_jobs_that_make_no_sense_are_refused_with_a_message(tmp_path, settings, complaint):
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


@pytest.mark.parametrize("model", [".", "..", " "])
def test_a_model_of_dots_stays_in_the_folder(tmp_path, model):
    assert SeparationJob(settings=SeparationSettings(model=model), out=tmp_path).folder == tmp_path / "model"


@pytest.mark.parametrize(
    ("model", "options", "folder"),
    [
        ("live", {}, "live"),
        ("live", {"weights": "out/tiny/best.safetensors"}, "live-tiny-best"),
        ("live", {"weights": "best.safetensors"}, "live-best"),
        ("out/tiny/best.safetensors", {}, "tiny-best"),
    ],
)
def test_weights_of_ones_own_have_a_folder_of_their_own(tmp_path, model, options, folder):
    settings = SeparationSettings(model=model, options=options)
    assert SeparationJob(settings=settings, out=tmp_path).folder == tmp_path / folder
