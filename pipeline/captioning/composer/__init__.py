"""The composer: descriptions from cues alone, without a model."""
