"""A strict YAML reader: duplicate keys are errors, and no Python objects are created."""

import datetime as dt
from typing import Any

import yaml

_DEEPEST = 100
_MOST_NODES = 200_000
"""With what aliases stand for counted each time: aliases of aliases grow a few lines to billions of values."""
_UNFIT = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""What PyYAML raises where a scalar does not fit its tag, as `!!int x`, or a date is none."""


class _Loader(yaml.SafeLoader):
    """A `SafeLoader` that refuses what YAML forbids and PyYAML lets pass, and what would take endless work."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._sizes: dict[int, int] = {}
        """Number of nodes that each composed one stands for, itself included; by its identity."""

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """Compose one node and all below it.

        Raises:
            ConstructorError: it is too deep, too large, or an alias of a node that it stands in.
        """
        mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]  # PyYAML's stubs lack it
        alias = self.check_event(yaml.AliasEvent)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise _refused(f"more than {_DEEPEST} levels", mark)
        node = super().compose_node(parent, index)
        assert node is not None  # there is an event
        self._depth -= 1
        if not alias:
            self._sizes[id(node)] = 1 + sum(self._sizes[id(child)] for child in _children(node))
        elif id(node) not in self._sizes:
            raise _refused("an alias of what it stands in", mark)
        if self._sizes[id(node)] > _MOST_NODES:
            raise _refused(f"more than {_MOST_NODES} values, with aliases written out", mark)
        return node

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The mapping; a key that stands twice is refused: PyYAML would take the last without a word."""
        seen: set[Any] = set()
        for name, _ in node.value:
            if isinstance(name, yaml.ScalarNode) and name.tag != "tag:yaml.org,2002:merge":
                if name.value in seen:
                    raise _refused(f"{name.value} twice", name.start_mark)
                seen.add(name.value)
        return super().construct_mapping(node, deep)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node."""
        try:
            return super().construct_object(node, deep)
        except _UNFIT as error:
            raise _refused(f"{node.tag.rpartition(':')[2]} that cannot be read ({error})", node.start_mark) from error

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """The text of a node, valid Unicode: escapes of the two halves of a character are joined, as in JSON."""
        text = super().construct_scalar(node)
        if text.isascii():
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            raise _refused("half a character (a lone surrogate)", node.start_mark) from error


def _date(loader: _Loader, node: yaml.ScalarNode) -> str:
    """A date or time without quotes, as the text that it would be with them; YAML's other spellings become ISO 8601."""
    found = loader.construct_yaml_timestamp(node)
    assert isinstance(found, dt.date)  # a datetime is one
    return found.isoformat()


_Loader.add_constructor("tag:yaml.org,2002:timestamp", _date)


def parse_yaml(text: str) -> Any:
    """The content of a YAML document: mappings, lists, texts, numbers, booleans and null. Dates are texts.

    Raises:
        yaml.YAMLError: the text is not YAML, or has a duplicate key.
    """
    return yaml.load(text, _Loader)  # noqa: S506 - it is a SafeLoader


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refused(what: str, mark: yaml.Mark) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError("while reading a section", mark, f"found {what}", mark)
