"""Map features from local files: reading, telling what is around a point, drawing a chip."""
