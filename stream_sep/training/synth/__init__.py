"""A band that exists only as samples: songs in stems, made from MIDI, one-shots and sung syllables, for training."""
