"""Benchmarks: commands that print figures. Run as modules, `python -m tools.bench.NAME`."""
