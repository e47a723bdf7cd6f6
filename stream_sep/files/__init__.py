"""Separation of whole files: a song in, stem files out, with memory bounded by a few windows of the model."""
