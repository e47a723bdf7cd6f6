"""A separator without a network: masks from cues of panning, onsets and harmonicity."""
