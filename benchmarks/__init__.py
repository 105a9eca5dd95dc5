"""Benchmarks of hatsformat: run beside the other tools, on the same data (see README.md)."""
