"""Text-to-image retrieval on a published dataset: data for training, models, losses, training, evaluation, explanation.

`embeddings` keeps vectors by sample id; `evaluate` needs NumPy alone, `data` reads shards, `models`, `losses`, `train`
and `explain` need the extra `retrieval` (torch, open_clip). Which chips overlap is in `pipeline.geo.overlaps`.
"""
