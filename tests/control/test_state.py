"""The state of all faders: validated, published whole, and each change once."""

import dataclasses
import math
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream_sep import STEMS, ControlState, ParameterError
from stream_sep.control.parameters import Parameter, parameters_for
from stream_sep.control.transition import DEFAULT_TRANSITION, Transition
from stream_sep.control.transport import transport_parameters

FADER = "stem/vocals/gain_db"


@pytest.fixture
def controls():
    return ControlState(parameters_for(STEMS))


@pytest.fixture
def received(controls):
    paths = []
    controls.subscribe(paths.append)
    return paths


@pytest.mark.parametrize(
    ("path", "given", "stored"),
    [
        (FADER, -200, -90.0),
        (FADER, 99, 10.0),
        (FADER, -math.inf, -90.0),
        (FADER, -6, -6.0),
        ("stem/bass/pan", -3, -1.0),
        ("ramp_ms", 0, 1.0),
        ("stem/drums/mute", 1, True),
        ("bypass", 0.0, False),
    ],
)
def test_a_value_is_brought_into_range_and_given_back(controls, path, given, stored):
    assert controls.set(path, given) == stored
    assert controls[path] == stored
    assert type(controls[path]) is type(stored)


@pytest.mark.parametrize("value", [math.nan, "loud", None, [1.0], 1j])
@pytest.mark.parametrize("path", [FADER, "bypass"])
def test_what_is_no_number_is_refused_by_name_and_changes_nothing(controls, received, path, value):
    before = controls.snapshot()
    with pytest.raises(ParameterError, match=path):
        controls.set(path, value)
    assert controls.snapshot() == before
    assert received == []


def test_an_unknown_path_names_the_nearest(controls):
    for use in (controls.__getitem__, lambda path: controls.set(path, 0)):
        with pytest.raises(ParameterError, match=f"did you mean '{FADER}'"):
            use("stem/vocal/gain_db")


def test_a_path_like_no_other_lists_them_all(controls):
    with pytest.raises(ParameterError, match=r"master/gain_db.*ramp_ms"):
        controls.set("0", 0)


def test_an_update_is_taken_whole_or_not_at_all(controls, received):
    before = controls.snapshot()
    for wrong in ({"stem/nobody/pan": 0}, {"stem/bass/pan": "left"}):
        with pytest.raises(ParameterError):
            controls.update({FADER: -10, **wrong})
    assert controls.snapshot() == before
    assert received == []
    controls.update({FADER: -10, "stem/bass/pan": 0.5})
    assert received == [FADER, "stem/bass/pan"]


def test_listener_is_called_once_for_a_change_and_never_without_one(controls, received):
    controls.set(FADER, -6)
    controls.set(FADER, -6.0)
    controls.set("bypass", value=False)
    assert received == [FADER]
    controls.set(FADER, -100)
    controls.set(FADER, -90)
    assert received == [FADER, FADER]


def test_change_listener_is_called_once_for_a_whole_change_with_its_transition_and_first(controls):
    calls = []
    controls.subscribe(calls.append)
    leave = controls.subscribe_changes(lambda *change: calls.append(change))
    slow = Transition(fade_ms=500, begin_frame=64)
    controls.update({FADER: -6, "bypass": False, "stem/bass/pan": 1}, slow)
    assert calls == [((FADER, "stem/bass/pan"), slow), FADER, "stem/bass/pan"]
    calls.clear()
    controls.update({FADER: -6}, slow)
    assert calls == []
    controls.set(FADER, 0)
    leave()
    controls.set(FADER, -6)
    assert calls == [((FADER,), DEFAULT_TRANSITION), FADER, FADER]


def test_listener_reads_the_value_it_is_called_for(controls):
    seen = []
    controls.subscribe(lambda path: seen.append(controls[path]))
    controls.set(FADER, -6)
    controls.set(FADER, -7)
    assert seen == [-6, -7]


def test_client_that_has_left_receives_nothing(controls, received):
    stop = controls.subscribe(received.append)
    stop()
    controls.set(FADER, -6)
    assert received == [FADER]


def test_a_listener_that_fails_stops_neither_the_change_nor_the_others(controls, caplog):
    def broken(path):
        raise RuntimeError(f"broken surface for {path}")

    stop = controls.subscribe(broken)
    received = []
    controls.subscribe(received.append)
    assert controls.set(FADER, -6) == -6
    assert received == [FADER]
    assert "broken surface" in caplog.text
    stop()
    stop()
    controls.set(FADER, -7)
    assert len(caplog.records) == 1


def test_a_snapshot_does_not_change_afterwards(controls):
    before = controls.snapshot()
    controls.set(FADER, -6)
    assert before[FADER] == 0


def test_many_threads_lose_no_update_and_end_on_the_newest_values(controls):
    received = []
    controls.subscribe(received.append)
    paths = [f"stem/{stem}/{control}" for stem in STEMS for control in ("gain_db", "pan")]
    ready = threading.Barrier(len(paths))

    def hammer(path):
        ready.wait()
        for step in range(1, 501):
            controls.set(path, -step / 1000)

    threads = [threading.Thread(target=hammer, args=(path,)) for path in paths]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {path: controls[path] for path in paths} == dict.fromkeys(paths, -0.5)
    assert {path: received.count(path) for path in paths} == dict.fromkeys(paths, 500)


ROOM = Parameter("stem/vocals/chain/1/room_size", 0.5)


@pytest.fixture
def growing():
    """Controls, the paths that listeners receive and how often watchers are called."""
    state, received, grown = ControlState(parameters_for(("vocals", "other"))), [], []
    state.subscribe(received.append)
    state.subscribe_tree(lambda: grown.append(set(state.parameters)))
    return state, received, grown


def test_watchers_are_called_after_controls_were_added_or_removed(growing):
    state, received, grown = growing
    state.set("stem/vocals/gain_db", -6)
    state.replace_parameters((), (ROOM,))
    assert state[ROOM.path] == 0.5
    assert ROOM.path in grown[0]
    state.replace_parameters((ROOM.path,), ())
    assert ROOM.path not in grown[1]
    with pytest.raises(ParameterError, match="there is no control 'stem/vocals/chain/1/room_size'"):
        state.set(ROOM.path, 0.1)
    assert state["stem/vocals/gain_db"] == -6
    assert ROOM.path not in state.snapshot()
    assert received == ["stem/vocals/gain_db"]


def test_control_that_stays_publishes_its_value_and_no_growth(growing):
    state, received, grown = growing
    state.replace_parameters((), (ROOM,))
    state.replace_parameters((ROOM.path,), (dataclasses.replace(ROOM, default=0.25),))
    assert state[ROOM.path] == 0.25
    assert received == [ROOM.path]
    assert len(grown) == 1


def test_another_range_counts_as_another_control(growing):
    state, _, grown = growing
    state.replace_parameters((), (ROOM,))
    state.replace_parameters((ROOM.path,), (dataclasses.replace(ROOM, high=2.0),))
    assert len(grown) == 2
    assert state.set(ROOM.path, 5) == 2.0


def test_a_watcher_that_fails_or_has_left_stops_nothing(growing):
    state, _, grown = growing
    leave = state.subscribe_tree(lambda: 1 / 0)
    state.replace_parameters((), (ROOM,))
    leave()
    leave()
    state.replace_parameters((ROOM.path,), ())
    assert len(grown) == 2


EVERY = (*parameters_for(STEMS), *transport_parameters())


@given(st.data())
def test_nothing_but_finite_numbers_is_ever_stored(data):
    parameter = data.draw(st.sampled_from(EVERY))
    value = data.draw(
        st.floats()
        | st.integers()
        | st.booleans()
        | st.text(max_size=5)
        | st.none()
        | st.just(10**400)
        | st.just([1.0])
    )
    try:
        stored = parameter.coerce(value)
    except ParameterError:
        return
    assert type(stored) is type(parameter.default)
    if not isinstance(stored, str):
        assert math.isfinite(stored)


@pytest.mark.parametrize("path", [parameter.path for parameter in EVERY if type(parameter.default) is float])
@pytest.mark.parametrize("value", [math.inf, -math.inf])
def test_infinity_is_a_level_or_an_engine_reading_and_nothing_else(path, value):
    (parameter,) = (one for one in EVERY if one.path == path)
    if parameter.unit == "dB" or parameter.readonly:
        assert math.isfinite(parameter.coerce(value))
    else:
        with pytest.raises(ParameterError, match="finite"):
            parameter.coerce(value)


@pytest.mark.parametrize("bad", [{"low": -math.inf}, {"high": math.inf}, {"default": math.nan}])
def test_a_control_without_an_end_cannot_be_made(bad):
    with pytest.raises(ParameterError, match="x has a default or bound of"):
        Parameter("x", **{"default": 0.0, **bad})
