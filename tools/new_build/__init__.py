"""Writes a first build file for a place: `choices` finds what covers it, `writing` makes the text."""
