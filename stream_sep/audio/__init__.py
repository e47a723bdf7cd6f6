"""What the audio thread runs: the compiled block, its gain ramps, the shared rings and their latency."""
