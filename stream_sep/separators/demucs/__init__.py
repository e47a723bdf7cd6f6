"""Demucs networks, live in sliding windows and for whole songs."""
