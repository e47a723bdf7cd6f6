"""Audio backends: sound cards, JACK, offline, and a clock without a device."""
