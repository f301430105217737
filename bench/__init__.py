"""Benchmarks: what the product is measured by. Not shipped to users."""
