"""Positions and shapes on the globe: points, local metric frames, boxes and polygons."""
