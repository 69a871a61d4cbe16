"""Makers of data files that are checked in: the catalogue of regions, the gazetteer."""
