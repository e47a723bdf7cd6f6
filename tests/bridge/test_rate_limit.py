"""Token buckets: never more than the burst and the rate allow."""

from hypothesis import given
from hypothesis import strategies as st

from bridge.rate_limit import KeyedBuckets, TokenBucket


@given(st.lists(st.tuples(st.floats(0, 5), st.floats(0.1, 4)), max_size=60))
def test_what_is_taken_never_exceeds_burst_and_rate(steps):
    now, taken = [0.0], 0.0
    bucket = TokenBucket(5, 2.0, lambda: now[0])
    for pause, amount in steps:
        now[0] += pause
        taken += amount * bucket.take(amount)
        assert taken <= 5 + 2 * now[0] + 1e-6


def test_what_is_charged_has_to_come_in_first():
    now = [0.0]
    bucket = TokenBucket(5, 1.0, lambda: now[0])
    bucket.charge(8)
    now[0] = 3.9
    assert bucket.is_empty
    now[0] = 4.0
    assert bucket.take()


def test_keys_are_apart_and_bounded():
    buckets = KeyedBuckets(1, 0.0, lambda: 0.0, max_keys=3)
    assert [buckets[key].take() for key in "aabca"] == [True, False, True, True, False]
    assert buckets["d"].take()
    assert buckets["b"].take()  # which was forgotten for d
