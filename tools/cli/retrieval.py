"""`geoscribe retrieval`: training on a dataset, evaluating, explaining."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from tools.retrieval.data.index import Index
    from tools.retrieval.data.select import Selection
    from tools.retrieval.embeddings import Embeddings

retrieval_app = typer.Typer(help="Find places from descriptions: train, evaluate, explain.", no_args_is_help=True)

CheckpointArgument = Annotated[Path, typer.Argument(metavar="CHECKPOINT", help="best.pt of a run folder.")]
DatasetArgument = Annotated[str, typer.Argument(metavar="DATASET", help="Folder or URL of a published dataset.")]
SplitOption = Annotated[list[str], typer.Option("--split", help="May be given several times.")]
RegionOption = Annotated[list[str] | None, typer.Option("--region", help="Only these; may be given several times.")]


class ViewName(StrEnum):
    """A view from above."""

    AERIAL = "aerial"
    MAP = "map"
    DRONE = "drone"


ViewOption = Annotated[ViewName, typer.Option(help="What is searched.")]


@retrieval_app.command()
def train(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The training file (YAML).")],
    steps: Annotated[int | None, typer.Option(min=1, help="Stop after so many steps: a trial.")] = None,
) -> None:
    """Train, or go on with a training that was stopped. Several GPUs: start it by torchrun."""
    from tools.retrieval.train.config import load_retrieval
    from tools.retrieval.train.trainer import train as run

    settings = load_retrieval(config)
    done = run(settings, steps=steps)
    print(f"steps: {done.step}; best on val: {settings.train.select} {done.best:.4g} at step {done.best_step}")
    print(f"run:   {settings.run}")


@retrieval_app.command()
def schema() -> None:
    """Print the JSON Schema of the training file."""
    import json

    from tools.retrieval.train.config import Retrieval

    print(json.dumps(Retrieval.model_json_schema(), indent=1, sort_keys=True))


@retrieval_app.command()
def embed(
    checkpoint: CheckpointArgument,
    dataset: DatasetArgument,
    out: Annotated[Path, typer.Option(help="Folder for text.npz and one file a view.")],
    split: SplitOption = ["test"],  # noqa: B006 - typer reads it
    region: RegionOption = None,
) -> None:
    """Write the vectors of a split's texts and views, by sample id."""
    from tools.retrieval.embeddings import write_embeddings

    found, _ = _encoded(checkpoint, dataset, _selection(split, region))
    out.mkdir(parents=True, exist_ok=True)
    for name, vectors in found.items():
        write_embeddings(out / f"{name}.npz", vectors)
        print(f"{out / name}.npz: {len(vectors):,} vectors of {vectors.vectors.shape[1]} numbers")


@retrieval_app.command()
def evaluate(
    dataset: DatasetArgument,
    checkpoint: Annotated[Path | None, typer.Option(help="A model of ours.")] = None,
    texts: Annotated[Path | None, typer.Option(help="Vectors of any model's texts, .npz or .parquet.")] = None,
    chips: Annotated[Path | None, typer.Option(help="Vectors of its chips.")] = None,
    view: ViewOption = ViewName.AERIAL,
    split: SplitOption = ["test"],  # noqa: B006 - typer reads it
    region: RegionOption = None,
    overlap: Annotated[
        float, typer.Option(min=0, max=1, help="Chips that overlap by more than this share count as overlapping.")
    ] = 0.25,
    blocks: Annotated[int, typer.Option(min=4, max=12, help="H3 resolution of the blocks of the intervals.")] = 7,
    out: Annotated[Path | None, typer.Option(help="Where the figures go as JSON.")] = None,
) -> None:
    """How well a model finds the chips of texts: full and thinned gallery, overlaps, intervals, CVG-Text's protocol."""
    from pipeline.errors import ConfigError, Problem
    from tools.retrieval.data.index import read_index
    from tools.retrieval.embeddings import read_embeddings
    from tools.retrieval.evaluate.dataset import cvgtext_paths, gallery_of
    from tools.retrieval.evaluate.nearest import nearest_protocol
    from tools.retrieval.evaluate.protocol import evaluate as measure
    from tools.retrieval.evaluate.table import as_json, as_text

    if (checkpoint is None) == (texts is None) or (texts is None) != (chips is None):
        raise ConfigError([Problem("options", "not one model", "either --checkpoint, or --texts and --chips")])
    selection = _selection(split, region)
    if checkpoint is not None:
        found, index = _encoded(checkpoint, dataset, selection, view=view.value)
        asked, shown = found["text"], found[view.value]
    else:
        assert texts is not None
        assert chips is not None
        index = read_index([dataset], selection, views=(view.value,), textless=True)
        asked, shown = read_embeddings(texts), read_embeddings(chips)
    gallery = gallery_of(index, view.value, block_resolution=blocks)
    measured = measure(asked, shown, gallery, least_overlap=overlap)
    told = index.take(index.texts)
    ids = told.ids.tolist()
    nearest = nearest_protocol(asked.rows_of(ids, "texts"), shown.rows_of(ids, "chips"), cvgtext_paths(told))
    print(as_text(measured, nearest), end="")
    if out is not None:
        out.write_text(as_json(measured, nearest), encoding="utf-8")
        print(f"figures: {out}")


@retrieval_app.command()
def selftest(
    dataset: DatasetArgument,
    view: ViewOption = ViewName.AERIAL,
    split: SplitOption = ["test"],  # noqa: B006 - typer
) -> None:
    """Put embeddings with known figures through the evaluation: constant, random, permuted, perfect."""
    from tools.retrieval.data.index import read_index
    from tools.retrieval.evaluate.dataset import gallery_of
    from tools.retrieval.evaluate.selftest import self_test

    index = read_index([dataset], _selection(split, None), views=(view.value,), textless=True)
    trials = self_test(gallery_of(index, view.value))
    for trial in trials:
        figures = trial.measured
        print(
            f"{trial.name:9} R@1 {figures['R@1'].value:6.1%}  R@10 {figures['R@10'].value:6.1%}  median rank "
            f"{figures['median rank'].value:g} of {figures.gallery:,}  {'as it must be' if trial.sound else 'WRONG'}: "
            f"{trial.wanted}"
        )
    if not all(trial.sound for trial in trials):
        raise typer.Exit(1)


@retrieval_app.command()
def study(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="The study's file (YAML).")],
    out: Annotated[Path, typer.Option(help="Folder for the table (Markdown) and the curves (SVG).")],
) -> None:
    """Train models that differ in one thing and test them side by side, with several seeds each."""
    from tools.retrieval.study import load_study, run_study
    from tools.retrieval.study_page import as_markdown, write_study

    settings = load_study(config)
    rows = run_study(settings, config.parent)
    command = f"geoscribe retrieval study {config}"
    print(as_markdown(settings, rows, command))
    for path in write_study(settings, rows, out, command):
        print(f"written: {path}")


def _selection(splits: list[str], regions: list[str] | None) -> "Selection":
    from tools.retrieval.data.select import Selection

    return Selection(splits=tuple(splits), regions=None if regions is None else tuple(regions))


def _encoded(
    checkpoint: Path, dataset: str, selection: "Selection", view: str | None = None
) -> "tuple[dict[str, Embeddings], Index]":
    """Vectors of the texts and views of some rows by a model of ours, and the rows."""
    from pipeline.errors import ConfigError, Problem
    from tools.retrieval.checkpoint import load_trained
    from tools.retrieval.data.index import read_index
    from tools.retrieval.encode import encode, model_encoders

    trained = load_trained(checkpoint)
    views = trained.config.views
    if view is not None:
        if view not in views:
            raise ConfigError([Problem("--view", view, f"one that the model was trained on: {', '.join(views)}")])
        views = tuple(one for one in views if one == view)
    data = trained.config.data
    index = read_index([dataset], selection, views=views, heading_up=data.heading_up, text=data.text, textless=True)
    text, pictures = model_encoders(trained.model, trained.device, views)
    return encode(index, trained.wanted, text, pictures), index
