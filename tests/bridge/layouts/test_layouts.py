"""Layouts: what the programs will read, read again."""

import json
import uuid
import xml.etree.ElementTree as ET
import zlib

import pytest

from bridge.layouts.layout import LAYOUTS, layout
from bridge.osc.namespace import nodes_of
from stream_sep.control.parameters import parameters_for
from stream_sep.control.state import ControlState
from stream_sep.errors import ConfigError

STEMS = ("vocals", "drums", "bass", "lead guitar [L]", "other")


class Mixer:
    """As much of a mixer as has addresses."""

    stems = STEMS
    controls = ControlState(parameters_for(STEMS))


ADDRESSES = {node.address for node in nodes_of(Mixer())}


def page():
    return ET.fromstring(zlib.decompress(layout("touchosc", STEMS)))


def property_of(node, key):
    return next(one.find("value") for one in node.find("properties") if one.findtext("key") == key)


def messages_of(node):
    return [(osc.findtext("path/partial/value"), osc) for osc in node.findall("messages/osc")]


def session():
    return json.loads(layout("open-stage-control", STEMS))


def widgets(widget):
    yield widget
    for inner in widget.get("widgets", ()):
        yield from widgets(inner)


def spoken():
    return [widget for widget in widgets(session()["content"]) if widget.get("address", "auto") != "auto"]


def test_a_touchosc_page_is_compressed_xml_of_one_group():
    assert layout("touchosc", STEMS)[:2] == b"\x78\x9c"
    root = page()
    assert (root.tag, root.get("version"), len(root)) == ("lexml", "3", 1)
    assert root[0].get("type") == "GROUP"
    assert {node.get("type") for node in root.iter("node")} == {"GROUP", "LABEL", "BUTTON", "FADER"}


def test_every_part_of_it_has_an_identity_of_its_own():
    identities = [uuid.UUID(node.get("ID")) for node in page().iter("node")]
    assert len(set(identities)) == len(identities)


def test_its_parts_lie_on_the_page_and_not_on_each_other():
    def frame(node):
        return [int(property_of(node, "frame").findtext(side)) for side in "xywh"]

    frames = [frame(node) for node in page().iter("node") if node.get("type") != "GROUP"]
    for index, (x, y, w, h) in enumerate(frames):
        assert 0 <= x < x + w <= 1024
        assert 0 <= y < y + h <= 768
        for left, top, wide, high in frames[:index]:
            assert x >= left + wide or left >= x + w or y >= top + high or top >= y + h


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_address_is_one_that_the_mixer_has_and_none_is_missing(kind):
    if kind == "touchosc":
        found = {address for node in page().iter("node") for address, _ in messages_of(node)}
    else:
        found = {widget["address"] for widget in spoken()}
    owners = [f"/stem/{stem}" for stem in ("vocals", "drums", "bass", "lead_guitar__L_", "other")]
    expected = {f"{owner}/{part}" for owner in owners for part in ("fader", "mute", "solo", "meter")}
    assert found == expected | {"/master/fader", "/master/mute", "/master/meter"}
    assert found <= ADDRESSES


def test_what_touchosc_receives_it_does_not_send_again():
    found = [osc for node in page().iter("node") for _, osc in messages_of(node)]
    assert {osc.findtext("feedback") for osc in found} == {"0"}
    assert {osc.findtext("receive") for osc in found} == {"1"}


def test_a_touchosc_fader_sends_a_float_of_its_travel_and_a_button_an_integer():
    root = page()
    for kind, part, conversion in (("FADER", "/fader", "FLOAT"), ("BUTTON", "", "INTEGER")):
        for node in root.iter("node"):
            for address, osc in messages_of(node):
                if node.get("type") == kind and address.endswith(part):
                    partial = osc.find("arguments/partial")
                    found = [partial.findtext(key) for key in ("type", "conversion", "value", "scaleMin", "scaleMax")]
                    assert found == ["VALUE", conversion, "x", "0", "1"]
                    assert osc.findtext("send") == "1"


def test_a_touchosc_meter_only_receives():
    meters = [osc for node in page().iter("node") for address, osc in messages_of(node) if address.endswith("/meter")]
    assert len(meters) == len(STEMS) + 1
    assert {osc.findtext("send") for osc in meters} == {"0"}
    assert {osc.findtext("arguments/partial/scaleMin") for osc in meters} == {"-60"}


def test_an_open_stage_control_session_has_one_root_and_no_widget_twice():
    made = session()
    assert (made["type"], made["createdWith"], made["content"]["type"]) == ("session", "Open Stage Control", "root")
    names = [widget["id"] for widget in widgets(made["content"])]
    assert len(set(names)) == len(names)


def test_its_faders_send_floats_with_four_decimals_and_its_buttons_integers():
    for widget in spoken():
        if widget["type"] != "variable":
            assert widget["typeTags"] == ("f" if widget["type"] == "fader" else "i")
            assert widget["decimals"] == 4
            assert widget["target"] == "127.0.0.1:9137"
            assert widget["preArgs"] == ""


def test_opening_its_page_moves_nothing_and_subscribes():
    root = session()["content"]
    assert all(not widget.get("default") for widget in spoken())
    assert "/subscribe" in root["onCreate"]


def test_its_meters_are_fed_by_what_they_are_called():
    names = {widget["id"] for widget in widgets(session()["content"])}
    sources = [widget for widget in spoken() if widget["type"] == "variable"]
    assert len(sources) == len(STEMS) + 1
    assert all(widget["onValue"].split("'")[1] in names for widget in sources)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_the_same_stems_give_the_same_bytes_and_others_do_not(kind):
    assert layout(kind, STEMS) == layout(kind, STEMS)
    assert layout(kind, STEMS) != layout(kind, STEMS[:2])


@pytest.mark.parametrize("kind", LAYOUTS)
def test_names_that_xml_and_json_mind_come_through(kind):
    made = layout(kind, ['a&b<c>"d"', "ü"])
    text = zlib.decompress(made).decode() if kind == "touchosc" else made.decode()
    assert ET.fromstring(text) is not None if kind == "touchosc" else json.loads(text)


def test_a_kind_that_there_is_not_is_refused():
    with pytest.raises(ConfigError, match="lemur"):
        layout("lemur", STEMS)
    with pytest.raises(ConfigError, match="one stem"):
        layout("touchosc", [])
