"""The build file's sections: pydantic models and nothing else. `pipeline.engine.build_file` reads a file into them."""
