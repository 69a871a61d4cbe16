"""Tools for developers of geoscribe: benchmarks, the stand-in for public sources, mutations, makers of data files.

Not in the wheel.
"""
