"""MIDI as it comes over the wire, byte by byte."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.midi.address import KINDS, Address, parse_address
from bridge.midi.messages import RELATIVE, Decoder, Event, encode, from_position, parse_message, to_position
from stream_sep.errors import ConfigError


def decode(*messages, only=None):
    decoder = Decoder()
    events = [event for data in messages for event in decoder.decode(parse_message(bytes.fromhex(data)))]
    return [event for event in events if only is None or event.address.kind == only]


def test_a_controller_has_seven_bits():
    assert decode("b0 50 40") == [Event(Address("cc", 1, 80), 64)]


def test_halves_of_a_fine_controller_come_in_any_order():
    upper_first = decode("b2 07 40", "b2 27 01", only="cc14")[-1]
    lower_first = decode("b2 27 01", "b2 07 40", only="cc14")[-1]
    assert upper_first == lower_first == Event(Address("cc14", 3, 7), 64 << 7 | 1, 14)


def test_a_fine_controller_without_lower_halves_still_reaches_the_top():
    [event] = decode("b0 07 7f", only="cc14")
    assert to_position(event.value, event.bits) == 1.0


def test_a_lower_half_alone_refines_the_value_that_stands():
    assert decode("b0 07 40", "b0 27 01", "b0 27 02", only="cc14")[-1].value == 64 << 7 | 2


def test_halves_of_two_controllers_stay_apart():
    events = decode("b0 07 40", "b0 08 10", "b0 27 01", "b0 28 02", only="cc14")
    assert events[-2:] == [Event(Address("cc14", 1, 7), 8193, 14), Event(Address("cc14", 1, 8), 2050, 14)]


def test_an_unregistered_parameter_is_selected_then_set():
    events = decode("b0 63 02", "b0 62 2c", "b0 06 7f", "b0 26 7f", only="nrpn")
    assert events[-1] == Event(Address("nrpn", 1, 300), 16383, 14)


def test_data_for_another_channel_a_registered_parameter_or_none_sets_nothing():
    select = ["b0 63 02", "b0 62 2c"]
    assert decode(*select, "b1 06 7f", only="nrpn") == []
    assert decode(*select, "b0 65 00", "b0 64 00", "b0 06 7f", only="nrpn") == []
    assert decode(*select, "b0 63 7f", "b0 62 7f", "b0 06 7f", only="nrpn") == []


def test_a_pitch_bend_has_fourteen_bits_lower_half_first():
    assert decode("e8 01 40") == [Event(Address("bend", 9), 8193, 14)]
    assert decode("e0 00 00")[0].value == 0
    assert decode("e0 7f 7f")[0].value == 16383


@pytest.mark.parametrize(("data", "pressed"), [("90 10 01", True), ("90 10 00", False), ("80 10 7f", False)])
def test_a_note_of_no_velocity_is_a_release(data, pressed):
    assert decode(data)[0].pressed is pressed


def test_a_controller_is_pressed_in_its_upper_half():
    assert [decode(f"b0 50 {value:02x}")[0].pressed for value in (0, 63, 64, 127)] == [False, False, True, True]


@pytest.mark.parametrize(
    ("mode", "right", "left", "far"),
    [
        ("relative-2s", 1, 127, (5, 123)),
        ("relative-offset", 65, 63, (69, 59)),
        ("relative-sign", 1, 65, (5, 69)),
        ("relative-sign-inverted", 65, 1, (69, 5)),
    ],
)
def test_four_ways_to_turn(mode, right, left, far):
    steps = RELATIVE[mode]
    assert [steps(value) for value in (right, left, *far)] == [1, -1, 5, -5]


@given(st.lists(st.binary(max_size=12), max_size=40))
def test_no_bytes_break_it(packets):
    decoder = Decoder()
    for packet in packets:
        try:
            message = parse_message(packet)
        except ValueError:
            continue
        for event in decoder.decode(message):
            assert 0 <= event.value < 1 << event.bits


@st.composite
def addresses(draw):
    kind = draw(st.sampled_from(sorted(set(KINDS) - {"program"})))
    number = draw(st.integers(0, KINDS[kind]))
    if kind == "nrpn":
        number = min(number, 16382)  # the last one means none
    return Address(kind, draw(st.integers(1, 16)), number)


@given(addresses(), st.data())
def test_what_is_sent_is_what_is_read(address, data):
    value = data.draw(st.integers(0, (1 << address.bits) - 1))
    decoder = Decoder()
    events = [event for sent in encode(address, value) for event in decoder.decode(parse_message(sent))]
    assert [event for event in events if event.address == address][-1] == Event(address, value, address.bits)


@given(addresses())
def test_an_address_reads_as_it_is_written(address):
    assert parse_address(str(address)) == address


@given(st.sampled_from([7, 14]), st.booleans(), st.data())
def test_travel_there_and_back_is_where_it_was(bits, centred, data):
    value = data.draw(st.integers(0, (1 << bits) - 1))
    position = to_position(value, bits, centred=centred)
    assert 0 <= position <= 1
    assert from_position(position, bits, centred=centred) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("c:1:0", "did you mean 'cc'"),
        ("cc:1", "kind:channel:number"),
        ("cc:1:x", "kind:channel:number"),
        ("bend:1:2", "bend:1"),
        ("cc:0:7", "needs a channel between 1 and 16"),
        ("note:1:128", "needs a number between 0 and 127"),
        ("cc14:1:32", "needs a number between 0 and 31"),
        ("", "does not begin with a kind"),
    ],
)
def test_an_address_that_is_none_is_refused(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_address(text)
