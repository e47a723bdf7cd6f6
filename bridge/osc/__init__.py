"""OSC over UDP: packets, the addresses of a mixer, and subscriptions to changes."""
