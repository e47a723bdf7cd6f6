"""The terminal mixer, and the plain screen where textual is missing."""
