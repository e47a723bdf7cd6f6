"""The frame transformer: per-frame convolutions over bands, causal attention over frames, any groups of sources."""
