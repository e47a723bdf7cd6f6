"""The plug-in for DAWs: a small native binary, and the host process that separates for it."""
