"""Datasets in the formats of other tools: one file a format, each found by name in `tools.export.formats`."""
