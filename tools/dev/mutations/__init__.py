"""Ways to spoil a good description, each with the checks that must notice: how the checks themselves are checked."""
