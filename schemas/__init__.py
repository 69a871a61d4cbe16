"""Records, the Arrow schemas derived from them, and reason codes."""
