"""Invalid values are refused before any device is opened, each with a message."""

import pytest

from stream_sep.backends.paced import PacedBackend
from stream_sep.cli.arguments import choose_model, parse_controls
from stream_sep.errors import ConfigError


@pytest.fixture
def no_device(monkeypatch):
    """Fail where a device is opened."""

    def opened(*_, **__):
        pytest.fail("a device was opened")

    monkeypatch.setattr("stream_sep.cli.live.open_backend", opened)
    monkeypatch.setattr("stream_sep.cli.play.open_backend", opened)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--model", "liev"), "did you mean 'live'"),
        (("--model", "causal-22m"), "did you mean 'causal-22ms'"),
        (("--model", "bands", "--latency-class", "instant"), "exclude each other"),
        (("--latency-class", "psychic"), "choose from instant, live, near, quality"),
        (("--fallback", "liev"), "did you mean"),
        (("--model", "bands", "--option", "foo=1"), "no option 'foo'; it has"),
        (("--option", "foo"), "NAME=VALUE"),
        (("--set", "vocal=-90"), "did you mean 'vocals'"),
        (("--set", "stem/vocals/gian_db=-90"), "did you mean 'stem/vocals/gain_db'"),
        (("--set", "vocals=loud"), "takes a number"),
        (("--set", "vocals=-200"), "outside -90..10 dB"),
        (("--set", "stem/drums/mute=maybe"), "on or off"),
        (("--set", "engine/load=1"), "read-only"),
        (("--outputs", "vocal=3"), "did you mean 'vocals'"),
        (("--outputs", "main:1"), "main=1,vocals=3"),
        (("--preset", "karaoki"), "did you mean 'karaoke'"),
        (("--daw", "cubase"), "unknown DAW 'cubase'"),
        (("--osc-port", "99999"), "--osc-port 99999"),
        (("--meter-rate", "-1"), "--meter-rate -1"),
        (("--midi-map", "nothing"), "nothing"),
        (("--sample-rate", "12345"), "unsupported sample rate 12345 Hz"),
        (("--backend", "alsa"), "unknown backend 'alsa'; choose portaudio or jack"),
        (("--backend", "jack", "--sample-rate", "48000"), "--sample-rate has no effect with --backend jack"),
        (("--backend", "jack", "--outputs", "main=1"), "--outputs has no effect with --backend jack"),
        (("--backend", "jack", "--input", "1"), "--input has no effect with --backend jack"),
    ],
)
@pytest.mark.usefixtures("no_device")
def test_live_checks_its_arguments_before_it_opens_a_device(command, arguments, words):
    code, output, errors = command("live", *arguments)
    assert code == 1
    assert output == ""
    assert errors.startswith("stream-sep: error: ")
    assert words in errors
    assert "TypeError" not in errors


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nope.mp3",), "nope.mp3"),
        (("x.wav", "--model", "liev"), "did you mean"),
        (("x.wav", "--set", "vocal=-90"), "did you mean 'vocals'"),
        (("x.wav", "--start", "soon"), "invalid time 'soon'"),
        (("x.wav", "--backend", "jack", "--block-size", "64"), "--block-size has no effect"),
    ],
)
@pytest.mark.usefixtures("no_device")
def test_play_checks_its_arguments_before_it_opens_a_device(command, tmp_path, arguments, words):
    (tmp_path / "x.wav").write_bytes(b"no song yet")
    code, _, errors = command("play", *arguments)
    assert code == 1
    assert words in errors


@pytest.mark.usefixtures("no_device")
def test_settings_for_sound_cards_do_not_stop_jack(command):
    command("config", "set", "sample-rate", "48000")
    _, _, errors = command("live", "--backend", "jack", "--set", "vocal=-90")
    assert "has no effect" not in errors
    assert "did you mean 'vocals'" in errors


@pytest.mark.parametrize(
    ("old", "new"), [("live", "causal-22ms"), ("instant", "causal-6ms"), ("near", "causal-100ms")]
)
def test_older_model_names_go_on_working(old, new):
    assert choose_model(old, "", {}).model == new


def test_stems_that_are_not_known_yet_are_taken_as_they_come():
    assert parse_controls(["strings=-6", "stem/strings/mute=on"], None) == {
        "stem/strings/gain_db": -6.0,
        "stem/strings/mute": True,
    }


def test_control_needs_a_value():
    with pytest.raises(ConfigError, match="CONTROL=VALUE"):
        parse_controls(["vocals"], ("vocals",))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), True),
        (("--latency-class", "instant"), True),
        (("--model", "studio"), True),
        (("--model", "bands"), True),
        (("--no-standby",), False),
        (("--model", "passthrough"), False),
        (("--model", "passthrough", "--standby"), True),
        (("--model", "demucs"), False),
    ],
)
def test_live_keeps_a_second_separator_where_it_is_small(command, monkeypatch, arguments, expected):
    configs = []

    def engine(_backend, config, **_):
        configs.append(config)
        raise ConfigError("far enough")

    monkeypatch.setattr("stream_sep.cli.live.open_backend", lambda *_, **__: PacedBackend())
    monkeypatch.setattr("stream_sep.engine.engine.Engine", engine)
    code, _, errors = command("live", *arguments)
    assert (code, "far enough" in errors) == (1, True), errors
    assert [config.standby for config in configs] == [expected]
