"""What developers of geoscribe use: benchmarks, the stand-in for public sources, mutations, makers of data files.

Not in the wheel.
"""
