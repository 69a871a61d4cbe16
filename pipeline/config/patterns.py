"""Patterns of texts in a build file, in words: for messages, and for the reference in `docs/`."""

WORDS = {
    r"^[a-z0-9][a-z0-9-]{0,62}$": "name of lower-case letters, digits and hyphens (63 at most, no hyphen first)",
    r"^https?://[^\s@]+$": "http(s) URL without blanks and @",
    r"^[A-Z][A-Z0-9_]{0,62}$": "name of an environment variable",
    r"^(mailto:)?[^\s@]+@[^\s@]+\.[^\s@]+$|^https?://\S+$": "mail address or http(s) URL",
}
"""By pattern. One that is not here is told as it stands."""
