"""Faster forward passes of Demucs networks on CPUs: bfloat16 by layer, compiled branches."""
