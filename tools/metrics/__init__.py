"""What descriptions are measured by: pure functions of texts, cues and verdicts, without references or models."""
