"""Effect chains on stems: read as values, loaded with Pedalboard or in a process of their own, played in time."""
