"""What descriptions are measured by: pure functions of texts, cues and claims, without references or models."""
