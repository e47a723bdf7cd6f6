"""Pages of faders that tablets and browsers load."""
