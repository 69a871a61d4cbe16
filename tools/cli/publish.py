"""`geoscribe publish --revise` and `geoscribe subset`: published datasets made into others."""

from pathlib import Path
from typing import Annotated

import typer

DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Folder or URL of a published dataset.")]


def take_down_from(dataset: str, revise: Path, *, unmatched: bool) -> None:
    """Take samples down from a published dataset: a new revision without them, and no older one."""
    from pipeline.publishing.revise import revise as take_down
    from pipeline.publishing.takedown import read_takedown
    from pipeline.storage import open_store

    listed = read_takedown(revise)
    done = take_down(open_store(dataset, where="DATASET"), listed, unmatched=unmatched)
    print(f"revision {done.manifest.revision} ({done.manifest.digest}) of {dataset} is in force")
    print(f"{len(done.removed)} samples taken down, {done.manifest.counts.published} left")
    for sample_id in done.removed:
        print(f"  {sample_id}")
    print(f"{done.files_removed} files of older revisions removed")
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
    print(f"{done.manifest.counts.published} samples written to {out}, {done.left_out} left out")
