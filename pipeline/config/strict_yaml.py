"""A strict YAML reader: duplicate keys are errors, and no Python objects are created."""

from typing import Any

import yaml


class _Loader(yaml.SafeLoader):
    """Refuses duplicate keys: YAML forbids them, but PyYAML silently takes the last."""

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
        yaml.YAMLError: the text is not YAML, or has a duplicate key.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader
