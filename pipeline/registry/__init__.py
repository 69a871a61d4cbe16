"""Sources and engines by name."""
