"""Songs that are played with faders at once: separated ahead of the playhead, refined while they play."""
