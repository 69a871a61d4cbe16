"""The synthetic world: made-up towns, drawn consistently from the street, from above and as a map, the truth known.

A test instrument: no number from it stands for one on real photos.
"""
