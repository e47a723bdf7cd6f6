"""The control tree: parameters by path, levels and the fader law, scheduled changes, presets."""
