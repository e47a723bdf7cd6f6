"""How long a fader takes over OSC and MIDI."""
