"""Stage `publish`: from finished layers to a dataset folder of shards, card and manifest."""
