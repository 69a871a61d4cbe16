"""One file a stage; each is a function from one unit's table to the table of its own layer."""
