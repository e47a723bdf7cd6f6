"""How good and how fast: SDR, reports over folders of songs, test signals and benchmarks."""
