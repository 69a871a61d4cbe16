"""Queues judged with other tools, Label Studio and Argilla: what they are given, and what comes back."""
