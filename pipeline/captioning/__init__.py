"""Descriptions of a place, written from its cues."""
