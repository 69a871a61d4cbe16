"""Pictures and texts about samples and coverage."""
