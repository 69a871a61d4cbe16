"""The models of three papers, on open_clip's CLIP.

`config` says what may be configured, `build` makes the model, `clip` is its CLIP and the weights of that, `tokens` its
token ids, `anchored` is CrossText2Loc and GeoBridge, `planet` adds what PLANET asks of the text.
"""
