"""Files that ship for DAWs: their addresses agree with those that the surfaces handle."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from bridge.daws.assets import DAW_FILES, read_daw_file, write_daw_files
from bridge.daws.reaper import Reaper
from bridge.midi.map import parse_map
from stream_sep.errors import BridgeError


def patterns():
    lines = [line.split() for line in read_daw_file("StreamSep.ReaperOSC").splitlines()]
    return {line[0]: line[1:] for line in lines if line and not line[0].startswith("#")}


def test_reaper_sends_what_we_read_and_reads_what_we_send():
    flags = {"gain_db": "TRACK_VOLUME f", "mute": "TRACK_MUTE b", "solo": "TRACK_SOLO b", "pan": "TRACK_PAN n"}
    for row in Reaper.rows:
        action, flag = flags[row.control].split()
        assert patterns()[action] == [flag + row.address]
    assert patterns()["TRACK_NAME"] == ["s/track/@/name"]
    assert patterns()["ACTION"] == ["t/action/@"]


def test_reaper_sends_nothing_that_floods():
    assert not set(patterns()) & {"TIME", "BEAT", "SAMPLES", "FRAMES", "TRACK_VU", "MASTER_VU", "FX_PARAM_VALUE"}


def test_reaper_shows_as_many_tracks_as_there_may_be():
    assert patterns()["DEVICE_TRACK_COUNT"] == ["32"]


def test_script_for_cubase_and_its_map_agree():
    script = read_daw_file("StreamSep_Stems.js")
    controls = {control.to: control for control in parse_map(read_daw_file("cubase.toml")).controls}
    assert len(controls) == 12
    notes = {name: int(re.search(rf"var {name} = (\d+)", script)[1]) for name in ("MUTE", "SOLO")}
    for stem in range(4):
        assert str(controls[f"stem/{stem + 1}/fader"].source) == f"bend:{stem + 1}"
        for name, note in notes.items():
            assert str(controls[f"stem/{stem + 1}/{name.lower()}"].source) == f"note:1:{note + stem}"


def test_the_script_for_cubase_is_javascript_of_1999(tmp_path):
    script = read_daw_file("StreamSep_Stems.js")
    assert not re.search(r"\b(const|let|class)\b|=>|`", re.sub(r"//.*", "", script))
    if shutil.which("node"):
        (tmp_path / "script.js").write_text(script)
        subprocess.run(["node", "--check", "script.js"], cwd=tmp_path, check=True, timeout=120)


@pytest.mark.parametrize("daw", DAW_FILES)
def test_files_are_written_whole_into_a_folder_that_need_not_be_there(daw, tmp_path):
    written = write_daw_files(daw, tmp_path / "new" / "folder")
    assert [path.name for path in written] == list(DAW_FILES[daw])
    assert [path.read_text(encoding="utf-8") for path in written] == [read_daw_file(path.name) for path in written]


def test_a_file_or_a_daw_that_there_is_not_is_named(tmp_path):
    with pytest.raises(BridgeError, match=r"secrets\.txt"):
        read_daw_file("../secrets.txt")
    with pytest.raises(BridgeError, match="audacity"):
        write_daw_files("audacity", tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(BridgeError, match="cannot write"):
        write_daw_files("reaper", tmp_path / "file")


def test_every_file_that_lies_there_is_known():
    folder = Path(__file__).parents[3] / "bridge" / "daws" / "assets"
    lying = {path.name for path in folder.iterdir() if path.suffix not in {".py", ""}}
    assert lying == {name for names in DAW_FILES.values() for name in names}
