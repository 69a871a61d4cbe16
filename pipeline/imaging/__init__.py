"""Pixels: one decoder, local metric frames, panoramas, quality gates, anonymising."""
