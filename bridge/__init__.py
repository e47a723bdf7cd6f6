"""Adapters between the engine's controls and the outside: OSC, MIDI, DAWs, web pages."""
