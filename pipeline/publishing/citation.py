"""`CITATION.cff`: how to cite the dataset, in the Citation File Format 1.2.0 (https://citation-file-format.github.io)."""

import yaml

from pipeline.config.build import Build

CITATION = "CITATION.cff"


def render(build: Build, *, version: str) -> str:
    """The file's text. Same arguments, same text."""
    content = {
        "cff-version": "1.2.0",
        "message": "If you use this dataset, please cite it as below, and credit the authors of the pictures you show.",
        "type": "dataset",
        "title": build.publish.title,
        "authors": [{"name": name} for name in build.publish.authors or [f"The makers of {build.publish.title}"]],
        "version": version,
        "keywords": ["geo-localization", "cross-view retrieval", "street view", "aerial imagery"],
    }
    return yaml.safe_dump(content, sort_keys=False, allow_unicode=True)
