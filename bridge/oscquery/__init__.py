"""OSCQuery: what the OSC addresses are, asked over HTTP, and announced on the local network."""
