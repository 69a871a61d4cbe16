"""Compares two datasets or two builds: `rows` compares tables, the others say what is compared."""
