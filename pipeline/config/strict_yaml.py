"""A strict YAML reader: duplicate keys are errors, no Python objects are created, and texts stay as they are written.

PyYAML follows YAML 1.1, where `no` (a country), `12:30` and `01001` (a municipality) are no texts. Here a scalar
without quotes is something else than its text only where YAML 1.2's core schema says so, and where the text follows
from the value again: `75001` and `1.5` are numbers; `01001`, `1_000` and `1.10` are texts, which fields of numbers
take too.
"""

import datetime as dt
import re
from pathlib import Path
from typing import Any

import yaml

from pipeline.errors import ConfigError, Problem

_DEEPEST = 100
_MOST_BYTES = 20_000_000
_MOST_NODES = 100_000
"""With what aliases stand for counted each time: aliases of aliases grow a few lines to billions of values."""
_TAG = "tag:yaml.org,2002:"
_CORE = {
    "bool": (re.compile(r"true|True|TRUE|false|False|FALSE"), "tTfF"),
    "int": (re.compile(r"-?(?:0|[1-9][0-9]*)|0x[0-9a-fA-F]+"), "-0123456789"),
    "float": (re.compile(r"-?[0-9]+\.[0-9]+|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"), "-+.0123456789"),
}
"""Patterns of values that are no texts, and the characters that they start with."""
_UNFIT = (ValueError, TypeError, LookupError, AttributeError, OverflowError, RecursionError)
"""Exceptions of PyYAML where a scalar does not fit its tag, as `!!int x`, or a date is none."""


class _Loader(yaml.SafeLoader):
    """A `SafeLoader` that refuses what YAML forbids and PyYAML lets pass, and what would take endless work."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._made = 0
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
        self._made += 1
        if self._made > _MOST_NODES:
            raise _refused(f"more than {_MOST_NODES} values", mark)
        if not alias:
            self._check_keys(node)
            self._sizes[id(node)] = 1 + sum(self._sizes[id(child)] for child in _children(node))
        elif id(node) not in self._sizes:
            raise _refused("an alias of what it stands in", mark)
        if self._sizes[id(node)] > _MOST_NODES:
            raise _refused(f"more than {_MOST_NODES} values, with aliases written out", mark)
        return node

    def _check_keys(self, node: yaml.Node) -> None:
        """Refuse a key that stands twice, in whatever spelling: PyYAML would take the last without a word.

        Here, since merging (`<<`) later puts keys that stand twice into a mapping, and rightly so.
        """
        seen: set[str] = set()
        for name, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if isinstance(name, yaml.ScalarNode):
                merge = name.tag == f"{_TAG}merge"
                key = name.value if merge else str(self.construct_object(name))
                if key in seen:
                    raise _refused(f"{key} twice", name.start_mark)
                seen.add(key)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """The value of a node."""
        try:
            return super().construct_object(node, deep)
        except _UNFIT as error:
            raise _refused(f"{node.tag.rpartition(':')[2]} that cannot be read ({error})", node.start_mark) from error

    def construct_scalar(self, node: yaml.ScalarNode | yaml.MappingNode) -> Any:
        """The text of a node, valid Unicode, no NUL: escapes of two halves of a character are joined, as in JSON."""
        text = super().construct_scalar(node)
        if "\0" in text:  # no path can have it
            raise _refused("a NUL character", node.start_mark)
        if text.isascii():
            return text
        try:
            return text.encode("utf-16", "surrogatepass").decode("utf-16")
        except UnicodeDecodeError as error:
            raise _refused("half a character (a lone surrogate)", node.start_mark) from error


def _date(loader: _Loader, node: yaml.ScalarNode) -> str:
    """A date or time without quotes, as the text that it would be with them; YAML's other spellings become ISO 8601."""
    try:
        found = loader.construct_yaml_timestamp(node)
    except (ValueError, OverflowError):  # 2026-13-45 is a text
        return str(loader.construct_scalar(node))
    assert isinstance(found, dt.date)  # a datetime is one
    return found.isoformat()


def _int(loader: _Loader, node: yaml.ScalarNode) -> int | str:
    """A whole number of 64 bits; what is longer stays a text, which Python may refuse to write out as a number."""
    number = int(loader.construct_yaml_int(node))
    return number if number.bit_length() < 64 else str(loader.construct_scalar(node))


def _float(loader: _Loader, node: yaml.ScalarNode) -> float | str:
    """A number; its text where that has more digits than the number tells, as that of version 1.10 has."""
    number = float(loader.construct_yaml_float(node))
    text = str(loader.construct_scalar(node))
    return number if repr(number) == text or text[-1].isalpha() else text


_Loader.yaml_implicit_resolvers = {
    first: [rule for rule in rules if rule[0].removeprefix(_TAG) not in _CORE]
    for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
for _name, (_pattern, _firsts) in _CORE.items():
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern.pattern})$"), list(_firsts))


def _no_use(_: _Loader, node: yaml.Node) -> None:
    """Refuse types that no file has any use for; a set's order would be another each time."""
    raise _refused(f"a value of type {node.tag.removeprefix(_TAG)}", node.start_mark)


for _type in ("binary", "set", "omap", "pairs"):
    _Loader.add_constructor(_TAG + _type, _no_use)
_Loader.add_constructor(f"{_TAG}timestamp", _date)
_Loader.add_constructor(f"{_TAG}int", _int)
_Loader.add_constructor(f"{_TAG}float", _float)


def parse_yaml(text: str) -> Any:
    """The content of a YAML document: mappings, lists, texts, numbers, booleans and null. Dates are texts.

    Raises:
        yaml.YAMLError: the text is not YAML, or has a duplicate key.
    """
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    except _UNFIT as error:  # what PyYAML lets through, as an escape that is no character, or `!!map x`
        raise _refused(f"what cannot be read ({error})", loader.get_mark()) from error
    finally:
        loader.dispose()


def read_yaml(path: Path, where: str | None = None) -> Any:
    """The content of a YAML file, see `parse_yaml`.

    Args:
        path: the file.
        where: the setting that names it, for messages; by default the file itself.

    Raises:
        ConfigError: it cannot be read, is too large, or is not YAML.
    """
    try:
        with path.open("rb") as file:  # not by its size: a device or a pipe says 0
            data = file.read(_MOST_BYTES + 1)
        if len(data) > _MOST_BYTES:
            raise ConfigError([Problem(str(path), f"more than {_MOST_BYTES:,} bytes", "at most as many")])
        return parse_yaml(data.decode("utf-8"))
    except OSError as error:
        found = f"{path} ({error.strerror or error})" if where else error.strerror or str(error)
        raise ConfigError([Problem(where or str(path), found, "a readable YAML file")]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        said = " ".join(str(error).replace('in "<unicode string>", ', "in ").split())
        raise ConfigError([Problem(str(path), said, "valid YAML in UTF-8")]) from error


def _children(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _refused(what: str, mark: yaml.Mark) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError("while reading a section", mark, f"found {what}", mark)
