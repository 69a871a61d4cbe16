"""A revision put together: its files in their place, and the manifest that lists them."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pyarrow.parquet as pq
from pydantic import JsonValue

from pipeline.config.build import Build
from pipeline.digest import digest
from pipeline.errors import MachineError
from pipeline.publishing import card, citation, croissant, manifest, revisions
from pipeline.publishing.card_pictures import HISTOGRAMS, MAP, histograms_svg, map_svg
from pipeline.publishing.citation import CITATION
from pipeline.publishing.croissant import CROISSANT
from pipeline.publishing.gallery import with_neighbours
from pipeline.publishing.layout import schema_fingerprint
from pipeline.publishing.manifest import Counts, FileEntry, Manifest, ShardEntry
from pipeline.publishing.packing import chip_diagonal_m
from pipeline.publishing.shards import file_entry
from pipeline.publishing.splits import SPLITS
from pipeline.publishing.tables import ATTRIBUTION, SAMPLES, Complete, with_distractors, write_table
from pipeline.storage import Store
from schemas.records import Sample

JSON_SCHEMA = "sample.schema.json"
_PLACEHOLDER = "0" * 16
"""Stands for the revision's digest, which is made of what the texts say beside it."""

Writer = Callable[[Path], object]
"""Writes a file of the revision as a local one."""


def assemble(
    build: Build,
    found: Counts,
    shards: list[ShardEntry],
    out: Store,
    before: Manifest | None,
    *,
    workspace: str | None,
    provenance: dict[str, JsonValue],
    taken_down: dict[str, int],
    removed: list[str],
    others: Mapping[str, Writer],
    placed: Sequence[FileEntry] = (),
) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest of a revision, whose files are put in place, and those that stand in the dataset's root as well.

    Args:
        build: whose it is.
        found: its counts.
        shards: in place, in the order of their paths.
        out: the dataset's place.
        before: the revision in force there.
        workspace: id of the workspace that it is from.
        provenance: goes into the manifest as it is.
        taken_down: likewise.
        removed: likewise.
        others: files that follow from more than the shards, by name.
        placed: files of distractors, which are in place.

    Raises:
        MachineError: a file cannot be written.
    """
    settings = {
        "name": build.name,
        "schema_fingerprint": schema_fingerprint(),
        "embargo_m": chip_diagonal_m(build.imagery.chips),
        "min_duplicate_distance": build.publish.min_duplicate_distance,
        "max_text_likeness": build.publish.max_text_likeness,
        "max_footprint_share": build.publish.max_footprint_share,
        "config": manifest.shareable(build),
        "packages": manifest.package_versions(),
        "provenance": provenance,
        "taken_down": taken_down,
        "removed": removed,
    }

    writers: dict[str, Writer] = {  # in this order: some are made of files that stand before them
        **others,
        SAMPLES.file: lambda path: write_table(SAMPLES, path, shards, out, before, _neighbours(build)),
        ATTRIBUTION.file: lambda path: write_table(
            ATTRIBUTION, path, shards, out, before, with_distractors(out, [file.path for file in placed])
        ),
        JSON_SCHEMA: lambda path: path.write_text(_json_schema(), encoding="utf-8"),
        MAP: lambda path: path.write_text(_map(scratch[SAMPLES.file], found), encoding="utf-8"),
        HISTOGRAMS: lambda path: path.write_text(histograms_svg(found.histograms), encoding="utf-8"),
    }  # fmt: skip
    scratch = {name: out.scratch() for name in writers}
    try:
        for name, writer in writers.items():
            writer(scratch[name])
        entries = {name: _entry(path) for name, path in scratch.items()}
        anywhere = revisions.folder(_PLACEHOLDER)
        texts = {
            manifest.CARD: card.render(
                build,
                found,
                shards,
                folder=anywhere,
                distractors=placed,
                models=provenance.get("models"),
                audit=provenance.get("audit"),
            ),
            CROISSANT: croissant.render(
                build, found, shards, entries, distractors=placed, folder=anywhere, version=_PLACEHOLDER
            ),
            CITATION: citation.render(build, version=_PLACEHOLDER),
        }
        name = digest(settings, found, shards, sorted(entries.items()), placed, sorted(texts.items()), length=16)
        folder = revisions.folder(name)
        data = {file: text.replace(_PLACEHOLDER, name).encode() for file, text in texts.items()}
        for file, content in data.items():
            out.create(folder + file, content)
        for file, path in scratch.items():
            out.adopt_new(path, folder + file)
    except FileNotFoundError:
        raise  # a shard went: another process publishes to the bucket
    except OSError as error:
        raise MachineError(f"cannot write a table of {out.url}: {error}. Mend that and publish again.") from error
    finally:
        for path in scratch.values():
            path.unlink(missing_ok=True)
    files = [
        FileEntry(path=folder + file, bytes=len(content), sha256=hashlib.sha256(content).hexdigest())
        for file, content in data.items()
    ]
    files += [entry.model_copy(update={"path": folder + file}) for file, entry in entries.items()]
    files += placed
    again = before is not None and before.digest == name  # the revision that is in force, mended
    revision = Manifest(
        revision=before.revision + (not again) if before is not None else 1,
        digest=name,
        previous=None if before is None else before.previous if again else before.digest,
        created_at=datetime.now(UTC),
        workspace=workspace,
        counts=found,
        shards=shards,
        files=files,
        **settings,
    )
    return revision, data


def _neighbours(build: Build) -> Complete:
    """The neighbours of each sample by the index table."""
    chips, continents = build.imagery.chips, {region.name: region.continent for region in build.regions}
    return lambda tables: with_neighbours(tables, chips.size_px * chips.gsd_m, continents)


def _map(index: Path, found: Counts) -> str:
    table = pq.read_table(index, columns=["region", "lat", "lon", "split"])
    return map_svg(table, [split for split in SPLITS if found.splits.get(split)])


@cache
def _json_schema() -> str:
    return json.dumps(Sample.model_json_schema(), indent=2) + "\n"


def _entry(path: Path) -> FileEntry:
    with path.open("rb") as file:
        return file_entry(file, "")
