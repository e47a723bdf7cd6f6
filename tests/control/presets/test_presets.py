"""Presets that ship are found and valid; the user's take precedence; errors are reported with their line."""

import os
import subprocess
import sys
import threading

import pytest

from stream_sep import STEMS, ControlState, StreamSepError
from stream_sep.control.parameters import parameters_for
from stream_sep.control.presets.library import (
    Preset,
    check_preset,
    list_presets,
    load_preset,
    preset_of,
    save_preset,
    shipped_presets,
    store_preset,
    user_folder,
)
from stream_sep.control.presets.toml_lines import lines_of
from stream_sep.control.presets.watcher import PresetWatcher
from stream_sep.errors import PresetError

FULL = Preset(
    "full",
    {"stem/vocals/gain_db": -90.0, "stem/drums/chain/bypass": True, "master/gain_db": -3.5, "karaoke": 0.25},
    chains={"vocals": ({"plugin": "Reverb", "parameters": {"room_size": 0.5}}, {"plugin": "x.vst3", "bypass": True})},
    outputs={"main": 1, "vocals": 3},
    fade_ms=250.0,
    description='said "so"',
    resets_all=True,
)
COMMENTED = """# mine
schema = 1  # the first
"stem/vocals/gain_db" = -12.0  # quiet

# the table of drums
[stem.drums]
mute = true  # silent
# last words
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The user's presets: an empty folder that is not there yet."""
    monkeypatch.setenv("STREAM_SEP_PRESETS", str(tmp_path / "own"))
    return tmp_path / "own"


@pytest.fixture
def controls():
    return ControlState(parameters_for(STEMS))


@pytest.fixture
def write(tmp_path):
    def write(text, name="mine.toml"):
        path = tmp_path / name
        path.write_text(text)
        return str(path)

    return write


def apply_preset(name, controls):
    controls.update(load_preset(name, stems=STEMS).resolve(STEMS))


def test_what_ships_is_what_the_manual_names():
    practice = {"practice-vocals", "practice-drums", "practice-bass", "practice-other"}
    assert set(shipped_presets()) == {"karaoke", "acapella", "daw-stems", *practice}


@pytest.mark.parametrize("name", sorted(shipped_presets()))
def test_every_shipped_preset_is_valid_described_and_leaves_nothing_of_the_one_before(name, controls):
    assert check_preset(name) == ()
    assert load_preset(name).description
    apply_preset(name, controls)
    fresh = controls.snapshot()
    controls.update({f"stem/{stem}/mute": True for stem in STEMS} | {"bypass": True, "karaoke": 1.0})
    apply_preset(name, controls)
    assert controls.snapshot() == fresh


def test_karaoke_closes_the_vocal_fader_and_leaves_the_master_alone(controls):
    controls.set("master/gain_db", -20)
    apply_preset("karaoke", controls)
    assert controls["stem/vocals/gain_db"] == -90
    assert controls["master/gain_db"] == -20


def test_four_stems_go_to_a_daw_on_pairs_of_their_own():
    assert load_preset("daw-stems").outputs == {"main": 1, "vocals": 3, "drums": 5, "bass": 7, "other": 9}


def test_tables_and_paths_agree(write):
    tables = write("schema = 1\n[stem.vocals]\ngain_db = -6.0\nchain.bypass = true\n[master]\nmute = true", "a.toml")
    paths = '"stem/vocals/gain_db" = -6.0\n"stem/vocals/chain/bypass" = true\n"master/mute" = true'
    assert load_preset(tables).values == load_preset(write(f"schema = 1\n{paths}", "b.toml")).values


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", "schema"),
        ("schema = 2", "schema 2"),
        ("this is no TOML", "line 1"),
        ("schema = 1\n\nfade = 3", r"toml:3: there is no 'fade'; did you mean 'fade_ms'"),
        ("schema = 1\n[stem.vocals]\ngain = -3", r"toml:3: .*'stem/vocals/gain'; did you mean 'stem/vocals/gain_db'"),
        ("schema = 1\n[stem.vocals]\ngain_db = 12", r"toml:3: 'stem/vocals/gain_db' is 12, .*outside -90..10 dB"),
        ("schema = 1\nkaraoke = 2", r"toml:2: 'karaoke' is 2, .*outside 0..1$"),
        ("schema = 1\nkaraoke = nan", r"toml:2: .* is not a number"),
        ("schema = 1\nkaraoke = true", r"toml:2: .* is not a number"),
        ('schema = 1\n"stem/bass/mute" = 1', r"toml:2: 'stem/bass/mute' is 1, which is not true or false"),
        ("schema = 1\nbypass = [1]", r"toml:2: 'bypass' is \[1\], which is not true or false"),
        ("schema = 1\n[engine]\nload = 0.5", r"toml:3: 'engine/load' is read-only"),
        ('schema = 1\nstem.bass.mute = true\n"stem/bass/mute" = true', r"toml:3: 'stem/bass/mute' is set twice"),
        ("schema = 1\nfade_ms = -1", r"toml:2: 'fade_ms' is -1, .*0..60000 ms"),
        ("schema = 1\ndescription = 3", r"toml:2: 'description' is 3"),
        ("schema = 1\nreset = 1", r"toml:2: 'reset' is 1"),
        ("schema = 1\noutputs = 3", r"toml:2: 'outputs' is 3, .*main = 1"),
        ("schema = 1\n[outputs]\nmain = 0", r"toml:3: 'main' goes to 0"),
        ("schema = 1\n[outputs]\nmain = 1\nvocals = 2", r"toml:4: 'vocals' and 'main' share a channel"),
        ("schema = 1\n[[stem.vocals.chain]]\nplugin = 'Gain'", r"toml:2: .*effects stand in .*\[\[chains.vocals\]\]"),
        ("schema = 1\n[outputs]\nmian = 1", r"toml:3: there is no bus 'mian'; did you mean 'main'"),
        ("schema = 1\n[chains]\nvocals = 3", r"toml:3: .*\[\[chains.vocals\]\]"),
        ("schema = 1\n[[chains.vocals]]\nbypass = true", r"toml:2: an effect needs plugin"),
        (
            "schema = 1\n[[chains.bass]]\nplugin = 'a'\n[[chains.bass]]\nplugin = 'b'\nparams = 1",
            r"toml:6: .*'parameters'",
        ),
    ],
)
def test_a_mistake_gives_an_error_message_with_its_line_and_what_was_meant(text, messages, write):
    path = write(text)
    with pytest.raises(PresetError, match=messages) as refused:
        load_preset(path, stems=STEMS)
    assert "mine.toml" in str(refused.value)


def test_all_mistakes_of_a_file_are_reported_at_once(write):
    path = write('schema = 1\n"stem/vocals/gain_db" = 40\n"stem/vocal/mute" = true\n')
    first, second = check_preset(path)
    assert ":2:" in first
    assert ":3:" in second
    assert "vocals" in second
    with pytest.raises(PresetError, match="and 1 more"):
        load_preset(path, stems=STEMS)


def test_an_unknown_name_is_reported_with_the_nearest():
    with pytest.raises(StreamSepError, match="did you mean 'karaoke'"):
        load_preset("karaokee")


def test_a_preset_with_a_wrong_key_changes_nothing(write, controls):
    path = write('schema = 1\n"stem/drums/mute" = true\n"stem/vocal/mute" = true\n')
    with pytest.raises(StreamSepError, match="stem/vocals/mute"):
        apply_preset(path, controls)
    assert controls["stem/drums/mute"] is False


def test_a_stem_the_separator_lacks_gives_an_error_message_that_names_those_it_gives(write, controls):
    path = write("schema = 1\n\n[stem.guitar]\nmute = true")
    assert load_preset(path).values == {"stem/guitar/mute": True}
    with pytest.raises(PresetError, match=r"toml:4: .*no stem 'guitar'; it has vocals, drums, bass, other"):
        apply_preset(path, controls)


def test_a_surface_cannot_read_any_file_by_its_path(write):
    path = write("schema = 1")
    assert load_preset(path).name == "mine"
    with pytest.raises(PresetError, match="no preset"):
        load_preset(path, files=False)


@pytest.mark.parametrize("name", ["../escape", "a/b", "", ".hidden", "a\\b", "a\0b", "x" * 200, "dots..."])
def test_a_name_that_could_leave_the_folder_is_refused(name, folder):
    with pytest.raises(PresetError, match="invalid preset name"):
        save_preset(Preset(name))
    assert not folder.exists()


def test_what_is_saved_is_what_is_read(folder):
    path = save_preset(FULL)
    assert path == folder / "full.toml"
    assert load_preset("full") == FULL
    assert path.read_text().startswith("schema = 1\n")
    assert [entry.name for entry in folder.iterdir()] == ["full.toml"]


def test_a_preset_cannot_be_changed():
    with pytest.raises(TypeError):
        FULL.values["bypass"] = True


def test_the_users_preset_wins_over_the_one_that_ships(folder):
    save_preset(Preset("karaoke", {"bypass": True}))
    assert load_preset("karaoke").values == {"bypass": True}
    assert list_presets()["karaoke"] == folder / "karaoke.toml"
    assert list(list_presets()) == sorted(list_presets())


def test_without_the_variable_presets_lie_where_the_system_keeps_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("STREAM_SEP_PRESETS")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert "stream-sep" in str(user_folder())
    assert user_folder().name == "presets"


def test_saving_again_keeps_comments_and_the_way_keys_are_written(folder):
    folder.mkdir()
    (folder / "mine.toml").write_text(COMMENTED)
    changed = Preset("mine", {"stem/vocals/gain_db": -20.0, "stem/drums/mute": True, "stem/drums/solo": True})
    text = save_preset(changed).read_text()
    assert load_preset("mine") == changed
    assert '"stem/vocals/gain_db" = -20.0  # quiet' in text
    assert all(
        comment in text for comment in ("# mine", "# the first", "# the table of drums", "# silent", "# last words")
    )


@pytest.mark.parametrize("preset", [FULL, Preset("mine")], ids=["all", "nothing"])
@pytest.mark.parametrize(
    "old",
    [
        COMMENTED,
        "schema = 1\n[stem]\nvocals.mute = true\n[master]\n[stem.bass]\npan = 1\n[outputs]\nmain = 5",
        "schema = 1\nstem = { vocals = { mute = true, gain_db = 1 } }\n[[chains.bass]]\nplugin = 'a'",
        "schema = 1\n[stem.vocals]\npan = 1\n[master]\n[stem.drums]\nmute = true\n[stem.vocals.chain]\nbypass = true",
    ],
    ids=["comments", "dotted", "inline", "scattered"],
)
def test_whatever_is_saved_over_reads_back(preset, old, folder):
    folder.mkdir()
    (folder / f"{preset.name}.toml").write_text(old)
    save_preset(preset)
    assert load_preset(preset.name) == preset


def test_a_file_that_is_no_preset_is_not_saved_over(folder):
    folder.mkdir()
    (folder / "mine.toml").write_text("half a tho")
    with pytest.raises(PresetError, match=r"mine\.toml"):
        save_preset(Preset("mine"))
    assert (folder / "mine.toml").read_text() == "half a tho"


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(folder, monkeypatch):
    save_preset(FULL)
    before = (folder / "full.toml").read_bytes()

    def full_disk(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(PresetError, match=r"[Nn]o space left"):
        save_preset(Preset("full"))
    assert (folder / "full.toml").read_bytes() == before
    assert [entry.name for entry in folder.iterdir()] == ["full.toml"]


def test_whoever_reads_while_it_is_saved_sees_a_whole_file():
    save_preset(FULL)
    reading, done, broken = threading.Event(), threading.Event(), []

    def read():
        while not done.is_set():
            try:
                load_preset("full")
            except PresetError as error:
                broken.append(str(error))
            reading.set()

    reader = threading.Thread(target=read)
    reader.start()
    assert reading.wait(10)
    for step in range(50):
        save_preset(Preset("full", {"master/gain_db": -float(step)}))
    done.set()
    reader.join()
    assert broken == []


def test_controls_are_stored_and_come_back_whole(controls):
    controls.update({"stem/bass/gain_db": -3.4000000953674316, "stem/drums/mute": True, "karaoke": 0.5})
    before = preset_of("x", controls)
    store_preset("mine", controls)
    controls.update({"stem/bass/gain_db": 0, "stem/drums/mute": False, "karaoke": 0})
    apply_preset("mine", controls)
    assert preset_of("x", controls) == before
    assert controls["stem/bass/gain_db"] == -3.4


def test_storing_over_a_preset_keeps_what_no_fader_shows(controls):
    save_preset(FULL)
    store_preset("full", controls)
    stored = load_preset("full")
    assert (stored.chains, stored.outputs, stored.fade_ms) == (FULL.chains, FULL.outputs, FULL.fade_ms)
    assert stored.values["karaoke"] == 0


def test_lines_are_those_of_the_file_whatever_lies_between():
    text = 'a = """\nb = 1\n[c]\n"""\r\n# b = 2\n\nb = [\n 1,\n]\n[[c]]\nd.e = 1\n[[c]]\nd = { e = 2 }\n[c.f]\n'
    lines = lines_of(text)
    assert {key: lines[key] for key in [("b",), ("c", 0, "d", "e"), ("c", 1, "d", "e"), ("c", 1, "f")]} == {
        ("b",): 7,
        ("c", 0, "d", "e"): 11,
        ("c", 1, "d", "e"): 13,
        ("c", 1, "f"): 14,
    }


@pytest.fixture
def watched(folder):
    """A file, the changes its watcher passed on, its reports, and the watcher, which polls on request."""
    folder.mkdir()
    path, presets, reports = folder / "mine.toml", [], []
    path.write_text("schema = 1")
    watcher = PresetWatcher(path, presets.append, 0.01, stems=STEMS, report=reports.append)
    yield path, presets, reports, watcher
    watcher.stop()


def edit(path, text):
    """Write as editors do that put a new file in the old one's place, so that no two edits look alike."""
    other = path.with_suffix(".new")
    other.write_text(text)
    other.replace(path)


def test_an_edit_is_handed_on_once(watched):
    path, presets, reports, watcher = watched
    watcher.poll()
    assert presets == []
    edit(path, "schema = 1\nkaraoke = 1.0")
    watcher.poll()
    watcher.poll()
    assert [preset.values for preset in presets] == [{"karaoke": 1.0}]
    assert reports == []


@pytest.mark.parametrize("broken", ["schema = 1\nkaraoke = ", "schema = 1\nstem.flute.mute = true", "schema = 3"])
def test_broken_edit_is_reported_once_and_the_next_good_one_applies(watched, broken):
    path, presets, reports, watcher = watched
    edit(path, broken)
    watcher.poll()
    watcher.poll()
    assert presets == []
    assert len(reports) == 1
    assert "mine.toml" in reports[0]
    assert "stay as they were" in reports[0]
    edit(path, "schema = 1\nkaraoke = 0.5")
    watcher.poll()
    assert [preset.values for preset in presets] == [{"karaoke": 0.5}]


def test_a_file_that_goes_away_for_a_moment_is_waited_for(watched):
    path, presets, reports, watcher = watched
    path.unlink()
    watcher.poll()
    assert (presets, reports) == ([], [])
    path.write_text("schema = 1\nbypass = true")
    watcher.poll()
    assert [preset.values for preset in presets] == [{"bypass": True}]


def test_the_watcher_looks_by_itself(folder):
    folder.mkdir()
    path, changed = folder / "mine.toml", threading.Event()
    path.write_text("schema = 1")
    with PresetWatcher(path, lambda _: changed.set(), 0.01):
        edit(path, "schema = 1\nbypass = true")
        assert changed.wait(10)


def stream_sep_presets(*arguments):
    code = "import stream_sep.cli as cli; from stream_sep.cli.presets import app; cli.app = app; cli.main()"
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.slow
def test_the_command_saves_shows_lists_and_checks(folder):
    settings = ["--set", "vocals=-12.5", "--set", "master/limiter=on", "--output", "main=1", "--fade-ms", "300"]
    done = stream_sep_presets("save", "mine", *settings, "--description", "my own")
    assert done.returncode == 0, done.stderr
    assert load_preset("mine") == Preset(
        "mine",
        {"stem/vocals/gain_db": -12.5, "master/limiter": True},
        outputs={"main": 1},
        fade_ms=300.0,
        description="my own",
    )
    assert (folder / "mine.toml").read_text() in stream_sep_presets("show", "mine").stdout
    listed = stream_sep_presets("list").stdout
    assert "my own" in listed
    assert "practice-drums" in listed
    assert stream_sep_presets("check", "mine", "karaoke").returncode == 0


@pytest.mark.slow
def test_the_command_fails_with_a_message(write):
    checked = stream_sep_presets("check", write("schema = 1\nkaraoke = 3"))
    assert checked.returncode == 1
    assert "mine.toml:2:" in checked.stdout + checked.stderr
    refused = stream_sep_presets("save", "mine", "--set", "stem/vocals/gian_db=1")
    assert refused.returncode == 1
    assert "did you mean 'stem/vocals/gain_db'" in refused.stderr
    slip = stream_sep_presets("save", "mine", "--set", "vocal=1")
    assert "did you mean 'vocals'" in slip.stderr
    assert "Traceback" not in refused.stderr


def test_what_could_not_be_read_back_is_not_saved(folder):
    refused = stream_sep_presets("save", "mine", "--from", "karaoke", "--fade-ms", "99999999")
    assert refused.returncode == 1
    assert refused.stderr.startswith("stream-sep: error: cannot save 'mine': 'fade_ms' is 99999999")
    assert not folder.exists()
