"""Pickup by crossing: no hand is too fast, no value jumps."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.midi.pickup import Pickup

STEP = 1 / 127
POSITIONS = st.integers(0, 127).map(lambda value: value / 127)


def follow(positions, target=0.75):
    pickup = Pickup()
    for position in positions:
        pickup = pickup.moved(position, target=target, step=STEP)
        if pickup.caught:
            target = position
    return pickup


def test_the_first_move_catches_only_where_the_control_is():
    assert not follow([0.2]).caught
    assert follow([0.75]).caught
    assert follow([0.75 - STEP]).caught


def test_one_jump_across_catches():
    assert follow([0.0, 1.0]).caught
    assert follow([1.0, 0.0]).caught


def test_a_jump_that_stays_on_one_side_does_not():
    assert not follow([0.0, 0.6, 0.2]).caught


def test_once_caught_it_follows_anywhere():
    assert follow([0.75, 0.1, 0.9, 0.0]).caught


def test_another_hand_takes_the_control_away_and_crossing_gives_it_back():
    held = follow([0.75, 0.5])
    away = held.moved(0.48, target=0.1, step=STEP)
    assert not away.caught
    assert away.moved(0.05, target=0.1, step=STEP).caught


def test_a_change_of_two_steps_is_no_other_hand():
    assert follow([0.75]).moved(0.6, target=0.75 + STEP, step=STEP).caught


@given(st.lists(POSITIONS, min_size=1, max_size=20), POSITIONS)
def test_a_control_never_jumps(positions, target):
    pickup, before = Pickup(), None
    for position in positions:
        pickup = pickup.moved(position, target=target, step=STEP)
        if pickup.caught:
            low, high = sorted((position if before is None else before, position))
            assert low - 3 * STEP <= target <= high + 3 * STEP
            target = position
        before = position


@given(POSITIONS, POSITIONS)
def test_a_fader_moved_over_its_whole_way_always_catches(start, target):
    assert follow([start, 0.0, 1.0], target).caught
