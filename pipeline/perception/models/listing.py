"""The models that engines take by name (`listing.yaml`): what each is, and where its files come from."""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter, model_validator

from pipeline.config.base import Name, Section
from pipeline.config.perception import ClosedSetModel, DetectorModel, SemanticModel
from pipeline.config.strict_yaml import parse_yaml

HUB = "https://huggingface.co"


class ModelFile(Section):
    """One file of a model."""

    path: str | None = None
    """Within the hub's repository."""
    url: str | None = None
    """Where the model is of no hub."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None
    """As published or measured; None where it is not known before the first download."""
    max_bytes: Annotated[int, Field(gt=0)]

    @property
    def name(self) -> str:
        """The file's name in the cache."""
        return PurePosixPath(self.path or self.url or "").name


class NamedModel(Section):
    """One model."""

    engine: Literal["semantic", "detector", "grounded", "sam"]
    """The engine that it is for; `sam` for a checkpoint of segment-anything, which `grounded` takes too."""
    about: str
    hub: str | None = None
    """Repository on the Hugging Face hub."""
    source: str | None = None
    """The publisher's page, of a model that is of no hub."""
    revision: str | None = None
    licence: str
    """SPDX identifier, or LicenseRef-..., of the weights."""
    terms: str = ""
    """In words, where the licence restricts the use."""
    trained_on: str
    files: Annotated[list[ModelFile], Field(min_length=1)]
    spec: SemanticModel | DetectorModel | None = None
    """Spec of a closed-set model."""

    @model_validator(mode="before")
    @classmethod
    def _typed(cls, entry: Any) -> Any:
        """A spec's keys alone do not say whose it is."""
        if isinstance(entry, dict) and entry.get("engine") in _SPECS and isinstance(entry.get("spec"), dict):
            return {**entry, "spec": _SPECS[entry["engine"]].model_validate(entry["spec"])}
        return entry

    @model_validator(mode="after")
    def _whole(self) -> "NamedModel":
        of_hub = self.hub is not None
        if of_hub == (self.source is not None) or (of_hub and self.revision is None):
            raise ValueError("a model has either hub and revision, or source")
        if any((file.path is not None) != of_hub or (file.url is not None) == of_hub for file in self.files):
            raise ValueError("files have a path where the model is of the hub, and a url otherwise")
        if type(self.spec) is not _SPECS.get(self.engine, type(None)):
            raise ValueError(f"the spec is not that of an engine {self.engine}")
        return self

    @property
    def page(self) -> str:
        """Where to read about it."""
        return self.source or f"{HUB}/{self.hub}/tree/{self.revision}"

    def address(self, file: ModelFile) -> str:
        """Where a file is downloaded from."""
        return file.url or f"{HUB}/{self.hub}/resolve/{self.revision}/{file.path}"


@cache
def listing() -> Mapping[str, NamedModel]:
    """All named models, by name."""
    text = (files(__package__) / "listing.yaml").read_text(encoding="utf-8")
    return MappingProxyType(parse(text))


def parse(text: str) -> dict[str, NamedModel]:
    """Models by name, from YAML.

    Raises:
        yaml.YAMLError: it is none.
        ValidationError: an entry is malformed.
    """
    return _MODELS.validate_python(parse_yaml(text))


_SPECS: dict[str, type[ClosedSetModel]] = {"semantic": SemanticModel, "detector": DetectorModel}
_MODELS = TypeAdapter(dict[Name, NamedModel])
