"""Datasets of different builds made into one: `inputs` checks them, `choosing` decides, `merge` writes."""
