"""The plug-in as LV2: its description passes the format's own check, and jalv plays it on a JACK server."""

import os
import shutil
import subprocess

import pytest
import waiting
from requirements import require, require_package

from bridge.plugin.lv2_bundle import URI, description
from bridge.plugin.parameters import plugin_parameters


@pytest.fixture
def path(bundles, tmp_path):
    shutil.copytree(bundles["lv2"], tmp_path / "stream_sep.lv2")
    return tmp_path


def run(path, *command):
    found = {**os.environ, "LV2_PATH": f"{path}:/usr/lib/lv2"}
    done = subprocess.run(command, env=found, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout + done.stderr


def test_description_passes_the_formats_own_check(path):
    require(shutil.which("lv2_validate"), "needs lv2_validate: apt install lv2-dev")
    require(shutil.which("sord_validate"), "needs sord_validate: apt install sordi")
    output = run(path, "lv2_validate", *map(str, sorted((path / "stream_sep.lv2").glob("*.ttl"))))
    assert "Found 0 errors" in output, output


def test_host_library_finds_every_port(path):
    require(shutil.which("lv2info"), "needs lv2info: apt install lilv-utils")
    output = run(path, "lv2info", URI)
    assert "reported by port 13" in output, output
    assert output.count("Port ") == 14 + len(plugin_parameters())
    assert "Required Features" not in output


def test_ports_are_numbered_in_the_order_of_the_native_code():
    numbers = [int(line.split()[1]) for line in description().splitlines() if "lv2:index" in line]
    assert numbers == list(range(14 + len(plugin_parameters())))


@pytest.mark.usefixtures("meeting")
def test_jalv_gives_it_twelve_ports_and_reports_its_latency_to_jack(path, jackd):
    require(shutil.which("jalv"), "needs jalv: apt install jalv")
    client = require_package("jack", "jack").Client("probe", servername=jackd, no_start_server=True)
    environment = {**os.environ, "LV2_PATH": str(path), "JACK_DEFAULT_SERVER": jackd}
    with subprocess.Popen(
        ["jalv", "-n", "stems", URI], env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    ) as jalv:
        try:
            waiting.until(lambda: len(client.get_ports("stems:.*")) >= 12, patience=30)
            ports = client.get_ports("stems:.*")
            assert [port.shortname for port in ports] == [
                f"{bus}_{side}" for bus in ("in", "main", "vocals", "drums", "bass", "other") for side in ("l", "r")
            ]
            client.activate()
            client.inports.register("ear").connect("stems:main_l")
            assert jalv.poll() is None
        finally:
            client.close()
            jalv.stdin.close()
            jalv.wait(20)
