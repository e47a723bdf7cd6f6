"""The audio thread: the compiled callback, its gain ramps, the shared rings and their latency."""
