"""Runs builds: the build file, units and layers, the workspace, the Beam graph, cost estimates."""
