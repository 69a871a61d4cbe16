"""Models that are known by name: what they are, where they come from, and the folder that they are kept in."""
