"""Options that commands which run a build share: where it runs, and what it may do to a dataset that is there."""

from enum import StrEnum
from typing import Annotated

import typer


class RunnerName(StrEnum):
    """Where the stages run."""

    LOCAL = "local"
    DASK = "dask"
    PORTABLE = "portable"
    FLINK = "flink"
    DATAFLOW = "dataflow"


RunnerOption = Annotated[RunnerName, typer.Option(help="Where the stages run, and shards are made.")]
SchedulerOption = Annotated[
    str | None, typer.Option(help="Address of a running Dask scheduler; without it Dask runs on this machine.")
]
JobEndpointOption = Annotated[
    str | None, typer.Option(metavar="HOST:PORT", help="Job service of Beam, for --runner portable and flink.")
]
WorkerPoolOption = Annotated[
    list[str] | None,
    typer.Option(metavar="HOST:PORT", help="Worker pool of Beam, as the job service reaches it. May be given again."),
]
ShrinkOption = Annotated[
    bool,
    typer.Option("--allow-shrink", help="Publish even if a region then has fewer rows than the dataset has of it."),
]
TakeOverOption = Annotated[
    bool,
    typer.Option("--take-over", help="Replace a dataset that another workspace of a build of this name published."),
]
