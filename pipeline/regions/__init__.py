"""Regions, drawing sites in them, and grouping sites into units."""
