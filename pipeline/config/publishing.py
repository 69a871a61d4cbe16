"""Section `publish`: splits, shards, near-duplicates and the card."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from pipeline.config.base import Name, Section, Share
from schemas.records import Split


class SplitShares(Section):
    """Shares of the sites per split. They sum to 1.

    `test_unseen` holds whole regions, from each continent in proportion. Every other region is divided among the other
    splits, block by block.
    """

    train: Share = 0.8
    """Share of the training split."""
    val: Share = 0.1
    """Share of the validation split."""
    test_seen: Share = 0.1
    """Share of the test split in regions that are trained on."""
    test_unseen: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the test split in regions that are not trained on."""

    @model_validator(mode="after")
    def _sum(self) -> "SplitShares":
        total = self.train + self.val + self.test_seen + self.test_unseen
        if abs(total - 1.0) > 1e-9:
            raise ValueError(f"train + val + test_seen + test_unseen is {total:g}, must be 1")
        return self


class Publish(Section):
    """Stage `publish`: the dataset's form."""

    title: str = "A geoscribe dataset"
    """Title of the dataset card."""
    splits: SplitShares = SplitShares()
    """Shares of the splits. A published site keeps its split when the build grows."""
    block_resolution: Annotated[int, Field(ge=0, le=11)] | None = None
    """H3 resolution of the blocks that a region is divided into. If left out: for each region the coarsest at which its
    shares can be filled to within 20 %. Never finer than `sampling.unit_resolution`."""
    unseen_regions: list[Name] = []
    """Regions that go into `test_unseen`; if they do not fill its share, more are drawn."""
    allow_empty: list[Split] = []
    """Splits that may stay empty although they have a share. Publishing refuses others."""
    shard_mb: Annotated[float, Field(gt=0, le=2_000)] = 384.0
    """Target size of a shard, in megabytes. Full shards have 0.7 to 1.4 times this size, so that a unit more or less
    changes few shards."""
    mix_regions: bool = False
    """Put units of all regions into one shard, so that readers of few shards at a time meet many regions. Otherwise
    each region has its own shards, and adding or removing a region changes no other region's."""
    row_group_mb: Annotated[float, Field(gt=0, le=256)] = 32.0
    """Target size of a row group, in megabytes."""
    min_duplicate_distance: Annotated[int, Field(ge=0, le=64)] = 4
    """Two sites of different units are near-duplicates if the 64-bit perceptual hashes of their street views, or those
    of their aerial chips, differ in fewer bits than this; 0 keeps all."""
    max_text_likeness: Share = 0.9
    """Two sites of different units are near-duplicates if their descriptions share more than this of their word
    trigrams (Jaccard index, estimated by MinHash); 1 keeps all."""
    max_footprint_share: Share = 0.9
    """Two sites of different units are near-duplicates if their chips share more than this of their area; 1 keeps
    all."""
    keep_revisions: Annotated[int, Field(ge=0, le=1_000)] = 1
    """Number of older revisions of the dataset whose files are kept, for readers that still use them."""
    decisions: Path | None = None
    """Path of a file of `geoscribe audit apply`: samples that people rejected are left out, and descriptions that they
    edited take the place of the old ones."""
    contact: str | None = None
    """Take-down contact on the dataset card."""
    takedown: Path | None = None
    """Take-down list (YAML): ids of pictures, authors, links and areas that may not be published."""
    authors: list[str] = []
    """Who is named as the authors in `CITATION.cff`; without them the title stands for a group."""
