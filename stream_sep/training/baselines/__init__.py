"""Baseline networks of other authors."""
