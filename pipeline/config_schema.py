"""The JSON Schema of the build file, as checked in beside the configurations."""

import json

from pipeline.config import Build


def schema_json() -> str:
    """The schema as text."""
    return json.dumps(Build.model_json_schema(), indent=1, sort_keys=True) + "\n"
