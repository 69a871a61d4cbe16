"""Reference of the build file, made from its JSON Schema: each section's keys with type, unit, default and meaning."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.config.patterns import WORDS
from pipeline.engine.build_file import build_schema
from tools.dev.docs.markdown import code, heading_id, table

_LIMITS = {
    "exclusiveMinimum": "> ", "minimum": "≥ ", "exclusiveMaximum": "< ", "maximum": "≤ ", "maxLength": "length ≤ "
}  # fmt: skip
_TAGS = ("type", "engine", "library")
_SEVERAL = ("regions", "perception.segmenters.spec")
"""Keys with several kinds of sections that no tag tells apart."""


_AS_THE_BUILD_S = ("regions.sampling", "regions.perception.ocr")
"""Keys of a region whose value is a section of the build: it is told there."""


@dataclass
class _Section:
    """A section of the build file, and the keys whose value it is."""

    name: str
    """Its definition in the schema."""
    definition: dict[str, Any]
    paths: list[str] = field(default_factory=list)

    @property
    def title(self) -> str:
        """The keys whose value it is, and what tells it from other sections under the same key."""
        shown = ", ".join(dict.fromkeys(self.paths)) if not self.shared else self.paths[0].rpartition(".")[2]
        keys = self.definition["properties"]
        tag = next((f": {key} {keys[key]['const']}" for key in _TAGS if "const" in keys.get(key, {})), "")
        return shown + (tag or (f" ({_words(self.name)})" if shown in _SEVERAL else ""))

    @property
    def anchor(self) -> str:
        return heading_id(self.title)

    @property
    def shared(self) -> bool:
        """Whether it is the value of many keys."""
        return len(self.paths) > 3


def reference() -> str:
    """The sections of a build file, each before the sections that its keys hold."""
    schema = build_schema()
    sections: dict[str, _Section] = {}

    def visit(path: str, definition: dict[str, Any]) -> None:
        for key, value in definition["properties"].items():
            for name in dict.fromkeys(_refs(value)):
                known = name in sections
                section = sections.setdefault(name, _Section(name, schema["$defs"][name]))
                section.paths.append(_path(path, key, value))
                if not known:
                    visit(section.paths[0], section.definition)

    visit("", schema)
    return "\n".join([_keys(schema, sections), *(_section(section, sections) for section in sections.values())])


def _path(path: str, key: str, value: dict[str, Any]) -> str:
    name = ".NAME" if "patternProperties" in value else ""
    found = f"{path}.{key}{name}".lstrip(".")
    return found.removeprefix("regions.") if found in _AS_THE_BUILD_S else found


def _refs(value: Any) -> Iterator[str]:
    """Names of the definitions that a value may be."""
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"].rpartition("/")[2]
        for key, inner in value.items():
            if key != "discriminator":
                yield from _refs(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _refs(inner)


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def _section(section: _Section, sections: dict[str, _Section]) -> str:
    used = f"Used by {', '.join(code(path) for path in dict.fromkeys(section.paths))}.\n\n" if section.shared else ""
    about = " ".join(section.definition["description"].split())
    return f"## {section.title}\n\n{about}\n\n{used}{_keys(section.definition, sections)}"


def _keys(definition: dict[str, Any], sections: dict[str, _Section]) -> str:
    required = definition.get("required", [])
    rows = [
        [
            code(key),
            _value(value, sections),
            value.get("x-unit", ""),
            "required" if key in required else _default(value),
            " ".join(value["description"].split()),
        ]
        for key, value in definition["properties"].items()
    ]
    return table(["Key", "Value", "Unit", "Default", "Meaning"], rows)


def _default(value: dict[str, Any]) -> str:
    default = value.get("default")
    if default is None or "$ref" in value or (isinstance(default, dict) and default):
        return ""  # a section's defaults stand in its own table
    return code(default if isinstance(default, str) else json.dumps(default))


def _value(value: dict[str, Any], sections: dict[str, _Section]) -> str:
    """Type and limits in words."""
    if "$ref" in value:
        return _link("section", value["$ref"], sections)
    if "discriminator" in value:
        mapping = value["discriminator"]["mapping"]
        options = [_link(code(tag), ref, sections) for tag, ref in mapping.items()]
        return f"section with {code(value['discriminator']['propertyName'])} {' or '.join(options)}"
    if "anyOf" in value:
        return " or ".join(_value(option, sections) for option in value["anyOf"] if option.get("type") != "null")
    if "patternProperties" in value:
        (inner,) = value["patternProperties"].values()
        return f"mapping of names to a {_value(inner, sections)}"
    if value.get("type") == "array":
        return _array(value, sections)
    return _scalar(value)


def _link(text: str, ref: str, sections: dict[str, _Section]) -> str:
    return f"[{text}](#{sections[ref.rpartition('/')[2]].anchor})"


def _array(value: dict[str, Any], sections: dict[str, _Section]) -> str:
    if "prefixItems" in value:
        kinds = list(dict.fromkeys(_value(item, sections) for item in value["prefixItems"]))
        return f"{len(value['prefixItems'])} values: {' or '.join(kinds)}"
    least = " (at least one)" if value.get("minItems") else ""
    return f"list of {_value(value['items'], sections)}{least}"


def _scalar(value: dict[str, Any]) -> str:
    options = [value["const"]] if "const" in value else value.get("enum", [])
    if options:
        return " or ".join(map(code, options))
    pattern = value.get("pattern", "")
    name = WORDS.get(pattern) or str(value.get("format", value["type"]))
    limits = [sign + f"{value[key]:,}" for key, sign in _LIMITS.items() if key in value]
    limits += [f"pattern {code(pattern)}"] if pattern and pattern not in WORDS else []
    return ", ".join([name, *limits])
