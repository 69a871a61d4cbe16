"""Tools for people: the command line, pictures of samples, reports, verification."""
