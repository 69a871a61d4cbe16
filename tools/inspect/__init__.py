"""Looking at samples and coverage: pages and pictures for people."""
