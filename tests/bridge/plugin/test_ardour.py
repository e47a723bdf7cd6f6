"""The plug-in in Ardour itself, without screen or sound card: in time to the sample, live and exported.

Ardour 7.3 exports wrongly by itself now and then, with no plug-in at all: of 80 exports of a session without ours
16 ended by SIGABRT or SIGSEGV, and one had a constant of random bits added to the first frame of each block. So
an export that ends by a signal, or that is wrong in nothing but the first frames of blocks, is done again.
"""

import os
import shutil
import subprocess
import time

import numpy as np
import pytest
import soundfile
from requirements import require

from bridge.plugin.install import write_bundle
from bridge.plugin.lv2_bundle import URI
from stream_sep import StemSeparator

RATE, LENGTH = 44100, 8 * 44100
AMPLITUDE = 0.1
FLAT = -6.0
TIMEOUT = 400
EXPORTS = 5
EXPORT_BLOCK = 2048
RANGE = (
    f'<Locations><Location id="990001" name="session" start="a0" end="a{LENGTH * 282240000 // RATE}" '
    'flags="IsSessionRange" locked="0" timestamp="0" cue="0"/></Locations>'
)
"""What Ardour exports; times are in its own ticks."""
SIGNAL = """
ardour {{ ["type"] = "dsp", name = "hash signal", category = "Generator", license = "MIT", author = "tests",
  description = [[noise that depends on the transport's position alone]] }}
function dsp_ioconfig () return {{ {{ audio_in = -1, audio_out = 2 }} }} end
function dsp_run (ins, outs, n_samples)
  local at = Session:transport_sample ()
  for channel = 1, #outs do
    local out = outs[channel]:array ()
    for frame = 1, n_samples do
      local x = ((at + frame) * 2654435761 + channel * 40503) & 0xffffffff
      x = ((x >> 16) ~ x) * 73244475 & 0xffffffff
      x = ((x >> 16) ~ x) & 0xffff
      out[frame] = (x / 32768.0 - 1.0) * {amplitude}
    end
  end
end
"""
SESSION = """
AudioEngine:set_backend("None (Dummy)", "Unit-Test", "")
local session = create_session("{folder}/song", "song", {rate})
local last = ARDOUR.PresentationInfo.max_order
session:new_audio_track(2, 2, nil, 1, "Source", last, ARDOUR.TrackMode.Normal, true)
for _, name in ipairs({{ "Stems", "Plain" }}) do
  session:new_audio_route(2, 2, nil, 1, name, ARDOUR.PresentationInfo.Flag.AudioBus, last)
end
local source, stems = session:route_by_name("Source"), session:route_by_name("Stems")
local plain, master = session:route_by_name("Plain"), session:master_out()
local function level(route, channel, kind) return route:peak_meter():meter_level(channel, kind) end
local function wait(condition)
  for _ = 1, 3000 do
    if condition() then return end
    ARDOUR.LuaAPI.usleep(50000)
  end
  print("it never came")
end
wait(function() return source:output():audio(1):connected_to(master:input():audio(1):name()) end)  -- by itself
source:output():disconnect_all(nil)
for side = 0, 1 do
  for _, bus in ipairs({{ stems, plain }}) do
    source:output():audio(side):connect(bus:input():audio(side):name())
  end
end
source:add_processor_by_index(ARDOUR.LuaAPI.new_luaproc(session, "hash signal"), 0, nil, true)
local plugin = ARDOUR.LuaAPI.new_plugin(session, "{name}", ARDOUR.PluginType.{kind}, "")
assert(not plugin:isnil(), "Ardour does not find the plug-in")
stems:add_processor_by_index(plugin, 0, nil, true)
for _, route in ipairs({{ source, stems, plain }}) do route:panner_shell():set_bypassed(true) end
for side = 0, 1 do plain:phase_control():set_phase_invert(side, true) end
wait(function() return stems:signal_latency() > 0 end)
print("outputs", stems:n_outputs():n_audio())
print("latency", stems:signal_latency())
session:request_roll(ARDOUR.TransportRequestSource.TRS_UI)
wait(function() return level(stems, 2, ARDOUR.MeterType.MeterPeak) > -60 end)  -- vocals: an engine has come
ARDOUR.LuaAPI.usleep(1000000)
master:peak_meter():reset_max()
ARDOUR.LuaAPI.usleep(2000000)
local most = ARDOUR.MeterType.MeterMaxPeak
print("null", math.max(level(master, 0, most), level(master, 1, most)))
for channel = 0, 9 do print("meter", level(stems, channel, ARDOUR.MeterType.MeterPeak)) end
session:request_stop(false, false, ARDOUR.TransportRequestSource.TRS_UI)
ARDOUR.LuaAPI.usleep(500000)
session:save_state("null")
stems:mute_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
ARDOUR.LuaAPI.usleep(500000)
session:save_state("plain")
stems:mute_control():set_value(0, PBD.GroupControlDisposition.NoGroup)
local function set(pattern, value)
  local index = 0
  for parameter = 0, plugin:to_insert():plugin(0):parameter_count() - 1 do
    if plugin:to_insert():plugin(0):parameter_is_control(parameter) then
      local label = plugin:to_insert():plugin(0):parameter_label(parameter)
      if label:match(pattern) then ARDOUR.LuaAPI.set_processor_param(plugin, index, value) end
      index = index + 1
    end
  end
end
plain:mute_control():set_value(1, PBD.GroupControlDisposition.NoGroup)
set("Vocals Mute", 1)
ARDOUR.LuaAPI.usleep(500000)
session:save_state("no vocals")
set("Vocals Mute", 0)
plain:mute_control():set_value(0, PBD.GroupControlDisposition.NoGroup)
plain:gain_control():set_value(10 ^ ({flat} / 20), PBD.GroupControlDisposition.NoGroup)
set(" Gain$", {flat})
ARDOUR.LuaAPI.usleep(500000)
session:save_state("flat")
session:save_state("")
close_session()
quit()
"""


class Ardour:
    """Ardour with the plug-in alone and nobody's settings."""

    def __init__(self, folder, bundles, meeting, kind):
        self.folder, self.kind = folder, kind
        scripts = folder / ".config" / "ardour7" / "scripts"
        scripts.mkdir(parents=True)
        (scripts / "hash_signal.lua").write_text(SIGNAL.format(amplitude=AMPLITUDE))
        for form in ("vst3", "lv2"):
            write_bundle(folder / f".{form}" / bundles[form].name, form, bundles["clap"])
        meeting.start_host()
        self._environment = {
            **os.environ,
            "HOME": str(folder),
            "LD_LIBRARY_PATH": "/usr/lib/ardour7",
            "STREAM_SEP_PLUGIN_SOCKET": str(meeting.socket),
            "STREAM_SEP_PLUGIN_COMMAND": str(meeting.command),
        }
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"):
            self._environment.pop(name, None)
        if kind == "VST3":
            self._scan(folder / ".vst3" / bundles["vst3"].name)

    def _scan(self, path):
        time.sleep(1.1)  # the scanner compares whole seconds
        self._run("/usr/lib/ardour7/ardour-vst3-scanner", "-f", str(path))

    def _run(self, *command):
        run = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=TIMEOUT
        )
        return run.returncode, run.stdout + run.stderr

    def make_session(self):
        script = self.folder / "session.lua"
        name = URI if self.kind == "LV2" else "stream_sep"
        script.write_text(SESSION.format(folder=self.folder, rate=RATE, name=name, kind=self.kind, flat=FLAT))
        _, printed = self._run("ardour7-lua", str(script))
        lines = [line.split("\t") if "\t" in line else line.split(" ") for line in printed.splitlines()]
        return printed, [
            (line[0], float(line[1])) for line in lines if line[0] in {"outputs", "latency", "null", "meter"}
        ]

    def export(self, snapshot, limit):
        """Return what a snapshot sounds like, which is not above ``limit``."""
        for _ in range(EXPORTS):
            status, exported = self._export(snapshot)
            wrong = np.flatnonzero(~(np.abs(exported) <= limit).all(axis=0))
            if status >= 0 and (not wrong.size or (wrong % EXPORT_BLOCK).any()):
                break
        return exported

    def _export(self, snapshot):
        session = self.folder / "song" / f"{snapshot}.ardour"
        session.write_text(session.read_text().replace("<Locations/>", RANGE))
        out = self.folder / f"{snapshot}.wav"
        out.unlink(missing_ok=True)
        status, printed = self._run(
            "ardour7-export", "-b", "float", "-s", str(RATE), "-o", str(out), str(self.folder / "song"), snapshot
        )
        assert out.exists() or status < 0, printed
        if status < 0:
            return status, np.zeros((2, 0), np.float32)
        return status, soundfile.read(out, dtype="float32", always_2d=True)[0].T[:, :LENGTH]


@pytest.fixture(params=["LV2", "VST3"])
def ardour(request, tmp_path, bundles, meeting):
    require(shutil.which("ardour7-lua"), "needs Ardour 7: apt install --no-install-recommends ardour")
    return Ardour(tmp_path / "home", bundles, meeting, request.param)


def test_main_mix_nulls_against_a_plain_bus_live_and_exported_and_at_any_fader(ardour):
    printed, values = ardour.make_session()
    figures = dict(values)
    meters = [value for key, value in values if key == "meter"]
    assert "null" in figures, printed
    assert figures["outputs"] == 10, printed
    assert figures["latency"] == 1472, printed  # of 1024 frames a block
    assert figures["null"] == float("-inf"), printed
    assert min(meters[:4] + meters[8:]) > -60, printed  # main, vocals, and all that they leave
    plain = ardour.export("plain", AMPLITUDE)
    assert plain.shape == (2, LENGTH)
    assert 0.9 * AMPLITUDE < np.abs(plain[:, 2000:]).max() <= AMPLITUDE
    null = ardour.export("null", 0.0)
    assert null.shape == (2, LENGTH)
    assert not null.any()
    flat = ardour.export("flat", 1e-6)
    assert flat.shape == (2, LENGTH)
    assert np.abs(flat).max() < 1e-6
    assert_without_vocals(ardour.export("no vocals", 10 * AMPLITUDE), -plain)


def assert_without_vocals(sound, song):
    """Check that ``sound`` is the song less its vocals, as far as a stream that began elsewhere separates them."""
    vocals = StemSeparator("live").process(song, RATE)[0]
    settled = slice(RATE, None)
    left = rms(song[:, settled] - sound[:, settled] - vocals[:, settled])
    assert rms(vocals[:, settled]) > 0.01 * AMPLITUDE
    assert left < rms(vocals[:, settled]) / 3


def rms(sound):
    return float(np.sqrt(np.mean(np.square(sound))))
