"""In-memory index of the rows of one or several datasets: ids, positions, chip sizes, storage location."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pipeline.errors import ConfigError, Problem
from pipeline.geo.overlaps import Chips, Overlaps, find_overlaps
from pipeline.imaging.turn import drawn_bearing
from pipeline.perception.directions import UNRELIABLE_DEG
from pipeline.publishing.distractors import split_of_file
from pipeline.publishing.manifest import FileEntry
from pipeline.publishing.splits import splits_called
from tools.dataset import open_dataset
from tools.retrieval.data.columns import require
from tools.retrieval.data.select import REFERENCES, Reference, Selection, View
from tools.retrieval.data.stated import chips_of, same_chips, stated
from tools.retrieval.data.texts import PUBLISHED, TextChoice, has_text, text_columns

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Strings = NDArray[np.object_]

SMALL = (
    "sample_id", "region", "unit", "split", "lat", "lon", "licence_class", "redistributable", "language",
    "street_view.heading_deg", "street_view.heading_error_deg", "panorama_view.heading_deg", "panorama_view.view_id",
    *(f"{text}_tokens" for text in PUBLISHED),
    *(f"{reference}_chip.{name}" for reference in REFERENCES for name in ("gsd_m", "width")),
)  # fmt: skip


@dataclass(frozen=True)
class Group:
    """A row group of a shard: the unit of reading."""

    dataset: int
    shard: FileEntry
    """A shard, or a file of distractors."""
    number: int


@dataclass(frozen=True)
class Index:
    """Rows as parallel arrays. Made by `read_index`."""

    ids: Strings
    region: Strings
    unit: Strings
    split: Strings
    licence: Strings
    redistributable: NDArray[np.bool_]
    language: Strings
    lat: Floats
    lon: Floats
    heading_deg: Floats
    """Heading of the street view; NaN where unknown or unreliable."""
    side_m: Mapping[Reference, Floats]
    """Of the chips; NaN where there is none."""
    heading_up: bool
    """Whether the chips were cut with the heading at their top."""
    panorama: NDArray[np.bool_]
    texts: NDArray[np.bool_]
    """Which rows have the text that was asked for."""
    tokens: NDArray[np.int64]
    """CLIP tokens of the published texts, n x 3, in the order of `tools.retrieval.data.texts.PUBLISHED`."""
    group: Ints
    """Which of `groups` a row is in, and where in it (`place`)."""
    place: Ints
    groups: tuple[Group, ...]
    urls: tuple[str, ...]
    """URLs of the datasets; `Group.dataset` is a place in it."""
    overlaps: Overlaps | None
    """Where the datasets state them."""
    thin: NDArray[np.bool_] | None
    """Which rows are in the thinned galleries of their splits, where the datasets say so."""
    left_out: Mapping[str, int]
    """How many rows were selected and cannot be used, by reason."""

    def __len__(self) -> int:
        return len(self.ids)

    def chips(self, *references: Reference) -> Chips:
        """Positions and sizes of the rows' chips; of several views, the largest chip. Side 0: a row has none."""
        sides = [np.nan_to_num(self.side_m[reference]) for reference in references]
        return Chips(self.lat, self.lon, np.maximum.reduce([np.zeros(len(self)), *sides]))

    def turn_deg(self, row: int) -> float | None:
        """By how much a row's chips are to be turned so that the heading is up, degrees; None if it is up already."""
        return None if self.heading_up else float(self.heading_deg[row])

    def longer_than(self, text: TextChoice, context: int) -> int:
        """Number of rows whose text has more tokens; 0 for generated variants, whose length is not known."""
        return int((self.tokens[:, PUBLISHED.index(text)] > context).sum()) if text in PUBLISHED else 0

    def overlaps_of(self, reference: Reference) -> Overlaps:
        """Overlaps as the datasets declare them, or else computed from positions."""
        return self.overlaps if self.overlaps is not None else find_overlaps(self.chips(reference))

    def take(self, rows: Ints | NDArray[np.bool_]) -> "Index":
        """Index of a subset of the rows."""
        kept = np.flatnonzero(rows) if rows.dtype == np.bool_ else rows
        arrays: dict[str, Any] = {
            field.name: value[kept]
            for field in fields(self)
            if isinstance(value := getattr(self, field.name), np.ndarray)
        }
        sides = {reference: side[kept] for reference, side in self.side_m.items()}
        overlaps = self.overlaps.among(np.asarray(kept, np.int64)) if self.overlaps is not None else None
        return replace(self, **arrays, side_m=sides, overlaps=overlaps)


def read_index(
    where: Sequence[str],
    selection: Selection,
    *,
    views: Sequence[View] = ("aerial",),
    heading_up: bool = False,
    text: TextChoice = "description",
    textless: bool = False,
) -> Index:
    """Read the index of the selected rows that can be used.

    Args:
        where: folders or URLs of published datasets.
        selection: which rows.
        views: what a row must have one of: a row with none of these views is left out.
        heading_up: leave out rows whose heading is not known.
        text: which one is asked for.
        textless: keep rows without it, and the datasets' distractors, too: they make a gallery harder. `Index.texts`
            tells which have it.

    Raises:
        ConfigError: a dataset is absent, of another format, or its chips are of another size than the first one's; the
            selection names what there is not, or leaves nothing.
        MachineError: a shard is damaged or not of this version.
    """
    datasets = tuple(open_dataset(url) for url in where)
    same_chips(datasets)
    there = {shard.split for dataset in datasets for shard in dataset.manifest.shards}
    splits = {name for split in selection.splits for name in splits_called(split, there)}
    columns = [*SMALL, *text_columns(text)]
    groups: list[Group] = []
    tables: list[pa.Table] = []
    texts: list[NDArray[np.bool_]] = []
    _known("splits", splits, set(there))
    for number, dataset in enumerate(datasets):
        for shard in dataset.manifest.shards:
            if shard.split in splits:
                with dataset.shard(shard) as file:
                    require(file, columns, f"{dataset.store.url}/{shard.path}")
                    for at in range(file.num_row_groups):
                        whole = file.read_row_group(at, columns=columns)
                        groups.append(Group(number, shard, at))
                        texts.append(_texts(whole, text))
                        tables.append(whole.select([name.partition(".")[0] for name in dict.fromkeys(_tops(SMALL))]))
        for entry in dataset.manifest.files if textless else ():
            if split_of_file(entry.path) in splits:
                with dataset.shard(entry) as file:
                    require(file, columns, f"{dataset.store.url}/{entry.path}")
                    for at in range(file.num_row_groups):
                        whole = file.read_row_group(at, columns=columns)
                        groups.append(Group(number, entry, at))
                        texts.append(np.zeros(whole.num_rows, np.bool_))
                        tables.append(whole.select([name.partition(".")[0] for name in dict.fromkeys(_tops(SMALL))]))
    if not tables:
        raise ConfigError([Problem("splits", ", ".join(sorted(splits)), "a split that has samples")])
    index = _arrays(tables, tuple(groups), where, np.concatenate(texts))
    _known("regions", {*(selection.regions or ()), *selection.not_regions}, set(index.region.tolist()))
    index = replace(index, heading_up=chips_of(datasets[0]).get("orientation") == "heading-up")
    alone = np.array([split_of_file(group.shard.path) is not None for group in groups], np.bool_)[index.group]
    headings = [drawn_bearing(sample_id) for sample_id in index.ids[alone].tolist()]  # nobody looks from a distractor
    index.heading_deg[alone] = headings
    told = stated(index.ids.tolist(), alone, datasets)
    if told is not None:
        index = replace(index, overlaps=told.overlaps, thin=told.thin)
    return _usable(index, selection, views, heading_up, None if textless else text)


def _tops(names: Iterable[str]) -> list[str]:
    return [name.partition(".")[0] for name in names]


def _texts(table: pa.Table, choice: TextChoice) -> NDArray[np.bool_]:
    return has_text(choice, table.select(list(dict.fromkeys(_tops(text_columns(choice))))))


def _arrays(tables: list[pa.Table], groups: tuple[Group, ...], where: Sequence[str], texts: NDArray[np.bool_]) -> Index:
    table = pa.concat_tables(tables)
    counts = [part.num_rows for part in tables]

    def strings(name: str) -> Strings:
        return np.array(table[name].to_pylist(), dtype=np.object_)

    def numbers(struct: str, name: str) -> Floats:
        inside = pc.struct_field(table[struct], name)
        return np.array([np.nan if v is None else float(v) for v in inside.to_pylist()], dtype=np.float64)

    sides = {r: numbers(f"{r}_chip", "gsd_m") * numbers(f"{r}_chip", "width") for r in REFERENCES}
    ids = strings("sample_id")
    twice = [sample_id for sample_id, count in Counter(ids.tolist()).items() if count > 1]
    if twice:
        found = f"{len(twice)} sample ids that stand twice, such as {twice[0]}"
        raise ConfigError([Problem("datasets", found, "datasets that share no sample")])
    panorama = pc.struct_field(table["panorama_view"], "view_id")
    return Index(
        ids=ids,
        region=strings("region"),
        unit=strings("unit"),
        split=strings("split"),
        licence=strings("licence_class"),
        redistributable=np.array(table["redistributable"].to_pylist(), dtype=np.bool_),
        language=strings("language"),
        lat=table["lat"].to_numpy(),
        lon=table["lon"].to_numpy(),
        heading_deg=np.where(
            numbers("street_view", "heading_error_deg") >= UNRELIABLE_DEG, np.nan, numbers("street_view", "heading_deg")
        ),
        side_m=sides,
        panorama=np.array([view is not None for view in panorama.to_pylist()], dtype=np.bool_),
        texts=texts,
        tokens=np.column_stack([table[f"{text}_tokens"].to_numpy() for text in PUBLISHED]).astype(np.int64),
        group=np.repeat(np.arange(len(counts)), counts),
        place=np.concatenate([np.arange(count) for count in counts]),
        groups=groups,
        urls=tuple(where),
        heading_up=False,
        overlaps=None,
        thin=None,
        left_out={},
    )


def _usable(
    index: Index, selection: Selection, views: Sequence[View], heading_up: bool, text: TextChoice | None
) -> Index:
    """Keep the selected rows that have what is needed; count the others by reason."""
    chosen = ~np.isin(index.region, selection.not_regions)
    for wanted, values in (
        (selection.regions, index.region),
        (selection.licences, index.licence),
        (selection.languages, index.language),
    ):
        if wanted is not None:
            chosen &= np.isin(values, wanted)
    if selection.redistributable:
        chosen &= index.redistributable
    lacking = {
        f"no {', '.join(views)}": ~_has_view(index, views),
        "no heading": np.isnan(index.heading_deg) & heading_up,
        f"no {text}": ~index.texts & (text is not None),
    }
    left_out: dict[str, int] = {}
    for reason, bad in lacking.items():
        if (chosen & bad).any():
            left_out[reason] = int((chosen & bad).sum())
        chosen &= ~bad
    if not chosen.any():
        told = "; ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none is selected"
        raise ConfigError([Problem("select", f"no row of {len(index):,} ({told})", "a selection that leaves rows")])
    return replace(index.take(chosen), left_out=left_out)


def _has_view(index: Index, views: Sequence[View]) -> NDArray[np.bool_]:
    has = np.zeros(len(index), np.bool_)
    for view in views:
        if view == "street":
            has |= True
        elif view == "panorama":
            has |= index.panorama
        else:
            has |= ~np.isnan(index.side_m[view])
    return has


def _known(where: str, named: set[str], there: set[str]) -> None:
    unknown = sorted(named - there)
    if unknown:
        raise ConfigError([Problem(where, ", ".join(unknown), f"one of {', '.join(sorted(there))}")])
