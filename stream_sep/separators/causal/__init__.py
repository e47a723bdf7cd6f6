"""The causal separators of our own: network, weights, runtimes, and the stream they become."""
