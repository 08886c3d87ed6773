"""Every speed and memory promise, measured: `python -m benchmarks`, or `make bench`.

What it prints is explained in docs/reference/performance.md.
"""
