"""Benchmarks: commands that print figures. Run as modules, `python -m tools.dev.bench.NAME`."""
