"""Code that runs on workers: config, sources, imaging, perception, captioning, stages and the Beam graph."""

import os

# From 1.29 on, onnxruntime for Linux sends the program's path and its models' names to its makers, and reads this once,
# when it is imported.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
