"""Reading YAML as it is written: a key that stands twice is an error, and no object is made."""

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Refuses a key that stands twice: YAML forbids it, and PyYAML would take the last without a word."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[Any] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.tag != "tag:yaml.org,2002:merge":
                if name.value in seen:
                    raise yaml.constructor.ConstructorError(
                        "while reading a section", node.start_mark, f"found {name.value} twice", name.start_mark
                    )
                seen.add(name.value)
        return super().construct_mapping(node, deep)


def parse_yaml(text: str) -> Any:
    """The content of a YAML document.

    Raises:
        yaml.YAMLError: it is none, or a key of it stands twice.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
