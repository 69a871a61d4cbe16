"""Verification of a published dataset."""
