"""The ways sound gets in and out: sound cards, JACK, files, and no device at all."""
