"""The catalogue of regions: the recipe that makes it, and the map of it."""
