"""Frames over a pipe are read whole or not at all."""

import io

import pytest

from stream_sep.lowlevel.wire import AUDIO_FRAME, encode_message, read_frame, read_message, write_frame


def test_frames_come_back_in_order_with_their_kinds():
    pipe = io.BytesIO()
    write_frame(pipe, AUDIO_FRAME, b"\x00\x01\x02")
    pipe.write(encode_message({"a": [1, 2]}))
    write_frame(pipe, AUDIO_FRAME, b"")
    pipe.seek(0)
    assert read_frame(pipe) == (AUDIO_FRAME, b"\x00\x01\x02")
    assert read_message(pipe) == {"a": [1, 2]}
    assert read_frame(pipe) == (AUDIO_FRAME, b"")
    assert read_frame(pipe) is None


@pytest.mark.parametrize("length", range(len(encode_message({"a": 1}))))
def test_a_frame_cut_short_is_no_frame(length):
    assert read_frame(io.BytesIO(encode_message({"a": 1})[:length])) is None


@pytest.mark.parametrize("body", [b"{", b"[1]", b"\xff"])
def test_what_is_no_json_object_is_no_message(body):
    pipe = io.BytesIO()
    write_frame(pipe, b"J", body)
    pipe.seek(0)
    assert read_message(pipe) is None


def test_missing_reader_shows_in_the_return_value():
    pipe = io.BytesIO()
    pipe.close()
    assert not write_frame(pipe, AUDIO_FRAME, b"x")
