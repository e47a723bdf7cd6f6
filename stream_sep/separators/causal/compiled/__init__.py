"""The causal network compiled by Numba: kernels, layers and int8 weights."""
