"""`samples.parquet`: one small row a sample, to choose samples by without reading a shard."""

from collections.abc import Iterator
from typing import Any

from schemas.records import AnySplit, Continent, Float32, Latitude, Longitude, Record, Sample


class Overlap(Record):
    """A sample whose chip overlaps another one's."""

    sample_id: str
    share: Float32
    """Share of the chip's area that both show."""


class IndexRow(Record):
    """One sample: where and what it is, and in which row of which shard it stands."""

    sample_id: str
    split: AnySplit
    region: str
    unit: str
    lat: Latitude
    lon: Longitude
    weight: float
    language: str
    synthetic: bool
    licence_class: str
    street_licence_class: str | None
    """Licence class of a part of the sample (see the columns of a shard); likewise the next four."""
    aerial_licence_class: str | None
    drone_licence_class: str | None
    map_licence_class: str | None
    map_data_licence_class: str | None
    redistributable: bool
    street_licence: str
    """Licence of `street`; likewise the others, null where the sample lacks the view."""
    panorama_licence: str | None
    aerial_licence: str | None
    drone_licence: str | None
    map_licence: str | None
    shard: str
    """Path in the dataset."""
    row: int
    """In the shard, from 0."""
    continent: Continent | None
    """Continent of the region."""
    overlaps: list[Overlap]
    """The samples whose chips show some of the same ground, and how much of it: wrong negatives in training, and no
    wrong answers in evaluation. All are of the same split."""
    thinned: bool
    """Whether it is in the thinned gallery of its split, in which no two chips share more than a quarter of their area.
    False for all of `train`."""


_SAME = [name for name in IndexRow.model_fields if name in Sample.model_fields]
_INFO = {
    "street_licence": "street_view",
    "panorama_licence": "panorama_view",
    "aerial_licence": "aerial_chip",
    "drone_licence": "drone_chip",
    "map_licence": "map_chip",
}
COLUMNS = (*_SAME, *(f"{column}.licence" for column in _INFO.values()))
"""The columns of a shard that the index is taken from: no picture among them."""


def index_rows(shard: str, samples: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Rows of `IndexRow` for the rows of a shard, in their order, without the columns `gallery.ADDED`."""
    for row, sample in enumerate(samples):
        licences = {name: (sample[column] or {}).get("licence") for name, column in _INFO.items()}
        yield {name: sample[name] for name in _SAME} | licences | {"shard": shard, "row": row}
