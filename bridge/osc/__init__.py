"""OSC over UDP: packets, the addresses of a desk, and who is told of changes."""
