"""The sections of a build file, as pydantic models. `pipeline.engine.build_file` reads a file into them."""
