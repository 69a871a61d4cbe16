"""All that knows a language: one folder a language."""
