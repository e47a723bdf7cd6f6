"""Presets: files that name what faders, chains and outputs should be; read strictly, written whole, followed live."""
