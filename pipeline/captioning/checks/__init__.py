"""What `pipeline.captioning.grounding` is made of: the reading of a description, its evidence, one module a check."""
