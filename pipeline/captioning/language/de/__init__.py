"""German: its rules and nouns; its grammar, for the composer."""
