"""Street-level sources over the network."""
