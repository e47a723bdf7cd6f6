"""Evaluation: SDR, reports over folders of songs, test signals and benchmarks."""
