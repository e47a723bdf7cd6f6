"""Workers that run a separator: on the engine's thread, on its own thread, or in a supervised process."""
