"""Training data: song layouts, the memory-mapped cache, crops and remixes."""
