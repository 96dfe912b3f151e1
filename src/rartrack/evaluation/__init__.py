"""Protocols, metrics and runs of the benchmarks (paper, Sec. 4)."""
