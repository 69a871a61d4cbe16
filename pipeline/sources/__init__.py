"""Where pictures and map facts come from: street, aerial and map sources, found by name."""
