"""Makes the sources and engines of a build."""
