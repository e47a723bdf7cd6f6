"""Published checkpoints of other projects: Roformers, SCNet and MDX23C, through the library ``pymss-core``."""
