"""Running a build: the build file, units and their layers, the workspace, the Beam graph, cost estimates."""
