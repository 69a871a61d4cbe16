"""Regions, the sampling of sites in them, and the grouping of sites into units."""
