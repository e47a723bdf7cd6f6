"""Where separators run: on the engine's thread, on one of its own, or in a process that may die and come back."""
