"""Separation of whole files: songs to stem files, with memory bounded by a few windows of the model."""
