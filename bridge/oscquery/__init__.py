"""OSCQuery: the OSC addresses, served over HTTP and announced on the local network."""
