"""Prompt sets: one folder a version, holding the words that a captioner uses."""
