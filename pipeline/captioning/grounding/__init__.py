"""Checks on a description that do not trust its writer, one module a check."""
