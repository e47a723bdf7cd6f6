"""The live page: faders of a running engine in a browser, over OSC in a WebSocket."""
