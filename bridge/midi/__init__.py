"""MIDI: ports and their messages, maps of controllers, pickup for faders without motors, and MIDI learn."""
