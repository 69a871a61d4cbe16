"""Reads the photos: OCR, segmentation, and their fusion with map facts into cues."""
