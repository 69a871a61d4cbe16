"""Code that runs on workers: config, sources, imaging, perception, captioning, stages and the Beam graph."""
