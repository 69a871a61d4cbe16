"""What the photos say: OCR, segmentation, and their fusion with map facts into cues."""
