"""Plays songs with faders from the first moment: separated ahead of the playhead, refined while they play."""
