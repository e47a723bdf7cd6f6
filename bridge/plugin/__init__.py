"""The plug-in for DAWs: a small native binary that plays, and the host beside it that separates for it."""
