"""Workers that run a separator: on the engine's thread, on a thread of its own, or in a supervised process."""
