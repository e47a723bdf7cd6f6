"""Browsers: the live page that moves a running engine, and the service that separates uploaded songs."""
