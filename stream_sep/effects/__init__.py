"""Effect chains on stems: read as values, loaded with Pedalboard or in a separate process, played in time."""
