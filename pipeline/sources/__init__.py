"""Sources of pictures and map facts: street, aerial and map sources, found by name."""
