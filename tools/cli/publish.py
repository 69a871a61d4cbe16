"""`geoscribe publish --revise`, `geoscribe subset` and `geoscribe merge`: published datasets made into others."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.quantity import quantity

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Folder or URL of a published dataset.")]


def take_down_from(dataset: str, revise: Path, *, unmatched: bool) -> None:
    """Take samples down from a published dataset: a new revision without them, and no older one."""
    from pipeline.publishing.revise import revise as take_down
    from pipeline.publishing.takedown import read_takedown
    from pipeline.storage import open_store

    listed = read_takedown(revise)
    open_store(dataset, where="DATASET", read_only=True)  # a mistaken path is not made
    done = take_down(open_store(dataset, where="DATASET"), listed, unmatched=unmatched)
    print(f"revision {done.manifest.revision} ({done.manifest.digest}) of {dataset} is in force")
    print(f"{quantity(len(done.removed), 'sample')} taken down, {done.manifest.counts.published} left")
    for sample_id in done.removed:
        print(f"  {sample_id}")
    print(f"{quantity(done.files_removed, 'file')} of older revisions removed")
    print("before the next `geoscribe build`, name the list under publish.takedown in the build file")


def subset(
    dataset: DatasetArgument,
    out: Annotated[str, typer.Argument(metavar="OUT", help="Folder or URL to write, empty.")],
    region: Annotated[list[str] | None, typer.Option(help="Only this region. May be given several times.")] = None,
    split: Annotated[list[str] | None, typer.Option(help="Only this split. May be given several times.")] = None,
    licence: Annotated[
        str | None, typer.Option(help="Strictest licence class: public-domain, attribution, share-alike, other.")
    ] = None,
    parts: Annotated[
        str | None, typer.Option(help="Parts to take: street,aerial,drone,map,map_data. All if left out.")
    ] = None,
    quality: Annotated[
        list[str] | None, typer.Option(help="Condition, such as 'sharpness>=100'. May be given several times.")
    ] = None,
    box: Annotated[
        tuple[float, float, float, float] | None, typer.Option(help="West, south, east, north in degrees.")
    ] = None,
) -> None:
    """Write part of a dataset as a dataset: by region, split, licence, quality, box; whole samples or some parts."""
    from pydantic import ValidationError

    from pipeline.errors import ConfigError, Problem
    from pipeline.storage import open_store
    from tools.dataset import open_dataset
    from tools.subset import Selection
    from tools.subset import subset as write

    given = {
        "regions": region, "splits": split, "licence": licence, "parts": parts and parts.split(","),
        "quality": quality, "box": box,
    }  # fmt: skip
    try:
        selection = Selection.model_validate({key: value for key, value in given.items() if value is not None})
    except ValidationError as error:
        problems = [
            Problem("--" + ".".join(map(str, fault["loc"])), repr(fault["input"]), fault["msg"])
            for fault in error.errors()
        ]
        raise ConfigError(problems) from error
    done = write(open_dataset(dataset), open_store(out, where="OUT"), selection)
    print(f"{quantity(done.manifest.counts.published, 'sample')} written to {out}, {done.left_out} left out")


class Splits(StrEnum):
    """Where the splits of a merged dataset come from."""

    KEEP = "keep"
    ANEW = "anew"


def merge(
    out: Annotated[str, typer.Argument(metavar="OUT", help="Folder or URL to write, empty.")],
    datasets: Annotated[
        list[str], typer.Argument(metavar="DATASET...", help="Folders or URLs of two datasets or more.")
    ],
    splits: Annotated[
        Splits, typer.Option(help="`keep` those that samples have, or draw them `anew` by the first one's settings.")
    ] = Splits.KEEP,
    name: Annotated[str | None, typer.Option(help="Name of the merged dataset; all names joined if left out.")] = None,
) -> None:
    """Merge datasets of different builds into one, without near-duplicates; of two alike, the first dataset's stays."""
    from pipeline.storage import open_store
    from tools.dataset import open_dataset
    from tools.merging.merge import merge as write

    opened = [open_dataset(one) for one in datasets]
    joined = name or "-".join(one.manifest.name for one in opened)[:63].rstrip("-")
    done = write(opened, open_store(out, where="OUT"), joined, keep_splits=splits is Splits.KEEP)
    for one in opened:
        print(f"{one.manifest.name}: {quantity(one.manifest.counts.published, 'sample')}")
    for reason, count in sorted(done.left_out.items()):
        print(f"left out: {count} {reason}")
    shards = f"{quantity(done.copied, 'shard')} copied, {len(done.manifest.shards) - done.copied} written anew"
    print(f"{quantity(done.manifest.counts.published, 'sample')} written to {out} ({shards})")
