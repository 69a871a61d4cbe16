"""Measures of descriptions: pure functions of texts, cues and claims, without references or models."""
