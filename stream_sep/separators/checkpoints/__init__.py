"""Checkpoints that others have published: Roformers, SCNet and MDX23C, through the library ``pymss-core``."""
