"""Sections whose class depends on a name in them: `type` of a source, `engine` of an engine.

The section of a source or engine is the settings class that its constructor takes. So the tables in
`pipeline.config.names` are the only lists of sources and engines. A class is imported when a build file names it.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from pydantic import GetJsonSchemaHandler
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from pipeline.config.base import Section


def section_of(path: str) -> type[Section]:
    """The settings class of a source or engine, given where its class is (`module:Class`).

    Raises:
        TypeError: no parameter of the constructor, or several, are annotated with a section.
    """
    parameters = inspect.signature(resolve_name(path)).parameters.values()
    found = [p.annotation for p in parameters if isinstance(p.annotation, type) and issubclass(p.annotation, Section)]
    if len(found) != 1:
        raise TypeError(f"{path}: {len(found)} parameters of the constructor are annotated with a section, not one")
    section: type[Section] = found[0]
    return section


@dataclass(frozen=True)
class ByName:
    """Annotation of a field whose section depends on the name under `key`: one of those in a table of `names`."""

    key: str
    known: Mapping[str, str]

    def section(self, value: object) -> type[Section] | None:
        """The section that a mapping in a build file names, or None."""
        name = value.get(self.key) if isinstance(value, Mapping) else None
        return section_of(self.known[name]) if isinstance(name, str) and name in self.known else None

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(self._validate)

    def __get_pydantic_json_schema__(self, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        choices = {name: section_of(path).__pydantic_core_schema__ for name, path in self.known.items()}
        return handler(core_schema.tagged_union_schema(choices, self.key))

    def _validate(self, value: object) -> Section:
        if isinstance(value, Section):
            return value
        if not isinstance(value, Mapping):
            raise PydanticCustomError("section", "a mapping of keys")
        section = self.section(value)
        if section is not None:
            return section.model_validate(value)
        found = repr(value[self.key]) if self.key in value else f"no {self.key}"
        context = {"found": found, "allowed": f"{self.key} one of {', '.join(self.known)}"}
        raise PydanticCustomError("section_name", "found {found}; allowed: {allowed}", context)
