"""Presets: TOML files of control values, chains and outputs; validated, written atomically, reloaded on change."""
