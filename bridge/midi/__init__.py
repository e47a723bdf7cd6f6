"""MIDI: ports and their messages, maps of controllers, faders that wait to be crossed, and learning."""
