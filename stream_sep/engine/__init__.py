"""The live engine: one mixer, one worker process with the separator, one audio backend."""
