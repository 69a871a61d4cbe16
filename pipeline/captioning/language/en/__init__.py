"""English: its grammar, for the composer; its sentences, for the checks."""
