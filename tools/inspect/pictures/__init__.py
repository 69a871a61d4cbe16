"""Drawing: text, page blocks, and annotated views."""
