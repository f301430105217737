"""Benchmarks: memory, speed and quality as ratios against a named baseline in the same run."""
