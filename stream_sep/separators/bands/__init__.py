"""A separator without a network: masks from panning, level and pitch cues in frequency bands."""
