"""Map sources over the network, and map archives."""
