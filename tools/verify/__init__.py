"""Checks on a published dataset."""
