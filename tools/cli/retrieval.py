"""`geoscribe retrieval`: training on a dataset, evaluating, explaining."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.quantity import quantity
from tools.output import writing

if TYPE_CHECKING:
    from tools.retrieval.checkpoint import Trained
    from tools.retrieval.data.index import Index
    from tools.retrieval.data.select import Reference, Selection
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

    found, index = _encoded(checkpoint, dataset, _selection(split, region))
    _print_left_out(index)
    out.mkdir(parents=True, exist_ok=True)
    for name, vectors in found.items():
        with writing(out / f"{name}.npz") as file:
            write_embeddings(file, vectors)
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
        found, index = _encoded(checkpoint, dataset, selection, view=view)
        asked, shown = found["text"], found[view.value]
    else:
        assert texts is not None
        assert chips is not None
        index = read_index([dataset], selection, views=(view.value,), textless=True)
        asked, shown = read_embeddings(texts), read_embeddings(chips)
    _print_left_out(index)
    gallery = gallery_of(index, view.value, block_resolution=blocks)
    measured = measure(asked, shown, gallery, least_overlap=overlap)
    told = index.take(index.texts)
    ids = told.ids.tolist()
    nearest = nearest_protocol(asked.rows_of(ids, "texts"), shown.rows_of(ids, "chips"), cvgtext_paths(told))
    print(as_text(measured, nearest), end="")
    if out is not None:
        with writing(out):
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
    _print_left_out(index)
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


@retrieval_app.command()
def explain(
    checkpoint: CheckpointArgument,
    dataset: DatasetArgument,
    sample: Annotated[list[str] | None, typer.Option(help="Ids to explain; some of the split if left out.")] = None,
    count: Annotated[int, typer.Option(min=1, help="How many, where no ids are given.")] = 20,
    view: ViewOption = ViewName.AERIAL,
    split: SplitOption = ["test"],  # noqa: B006 - typer reads it
    region: RegionOption = None,
    last: Annotated[bool, typer.Option("--last", help="The last block of each tower alone, as CVG-Text does.")] = False,
    out: Annotated[Path, typer.Option(help="Where the page goes.")] = Path("explained.html"),
) -> None:
    """Show which words and which parts of the chip carry a text's similarity, judged against random orders."""
    from tools.retrieval.checkpoint import load_trained
    from tools.retrieval.data.index import read_index
    from tools.retrieval.explain.page import write_page
    from tools.retrieval.explain.samples import explain as explained
    from tools.retrieval.explain.samples import gains

    trained = load_trained(checkpoint)
    data = trained.config.data
    index = read_index(
        [dataset], _selection(split, region), views=(_trained_view(trained, view),), heading_up=data.heading_up,
        text=data.text,
    )  # fmt: skip
    _print_left_out(index)
    found = explained(trained, index, view.value, sample or index.ids[:count].tolist(), last=last)
    words, picture = gains(found)
    for name, gain in (("words", words), ("picture", picture)):
        if gain is None:
            print(f"{name}: no relevance, its tower has no attention to parts")
        else:
            print(
                f"{name}: {gain.value:+.4f} ({gain.low:+.4f} to {gain.high:+.4f}) over random orders, "
                f"{quantity(gain.of, 'sample')}"
            )
    write_page(out, found, words, picture)
    print(f"page: {out}")


@retrieval_app.command()
def rerank(
    checkpoint: CheckpointArgument,
    dataset: DatasetArgument,
    build: Annotated[Path, typer.Option(help="A build file whose captioner is the model that judges.")],
    replies: Annotated[str, typer.Option(help="Folder or URL in which the model's replies are kept.")],
    out: Annotated[Path, typer.Option(help="Where orders, confidences and reasons go (JSON Lines).")],
    top: Annotated[int, typer.Option(min=2, max=20, help="How many chips of each search it judges.")] = 5,
    most: Annotated[int, typer.Option(min=1, help="How many texts.")] = 200,
    weight: Annotated[float, typer.Option(min=0, max=1, help="Of its confidence against the similarity.")] = 0.5,
    view: ViewOption = ViewName.AERIAL,
    split: SplitOption = ["test"],  # noqa: B006 - typer reads it
    region: RegionOption = None,
) -> None:
    """Have a vision-language model judge the first chips of each search, with reasons, and order them by that."""
    from pipeline.config.captioning import Dialogue
    from pipeline.engine.build_file import load_build
    from pipeline.errors import ConfigError, Problem
    from tools.retrieval.checkpoint import load_trained
    from tools.retrieval.data.index import read_index
    from tools.retrieval.explain.rerank import rerank as judge
    from tools.retrieval.explain.search import as_lines, first_chips, first_right, shown_metres

    captioner = load_build(build).captioner
    if not isinstance(captioner, Dialogue):
        raise ConfigError([Problem("captioner.engine", captioner.engine, "dialogue, the one that asks a model")])
    trained = load_trained(checkpoint)
    data = trained.config.data
    index = read_index(
        [dataset], _selection(split, region), views=(_trained_view(trained, view),), heading_up=data.heading_up,
        text=data.text, textless=True,
    )  # fmt: skip
    _print_left_out(index)
    queries = first_chips(trained, index, view.value, top=top, most=most)
    metres = shown_metres(trained, index, view.value)
    found = judge(queries, captioner, replies, heading_up=data.heading_up, metres=metres, weight=weight)
    with writing(out):
        out.write_text(as_lines(found), encoding="utf-8")
    for name, share in zip(("before", "after"), first_right(found), strict=True):
        assert share is not None
        print(f"own chip first {name}: {share.value:.1%} ({share.low:.1%} to {share.high:.1%}) of {share.of} texts")
    faults = [one.fault for one in found if one.fault is not None]
    if faults:
        print(f"left in the old order: {len(faults)} texts, such as for {faults[0]}")
    print(f"judged: {out}")


def _print_left_out(index: "Index") -> None:
    for reason, count in index.left_out.items():
        print(f"left out: {count:,} of {count + len(index):,} rows: {reason}")


def _trained_view(trained: "Trained", view: ViewName) -> "Reference":
    from pipeline.errors import ConfigError, Problem

    if view.value not in trained.config.views:
        known = ", ".join(trained.config.views)
        raise ConfigError([Problem("--view", view.value, f"one that the model was trained on: {known}")])
    return view.value


def _selection(splits: list[str], regions: list[str] | None) -> "Selection":
    from tools.retrieval.data.select import Selection

    return Selection(splits=tuple(splits), regions=None if regions is None else tuple(regions))


def _encoded(
    checkpoint: Path, dataset: str, selection: "Selection", view: ViewName | None = None
) -> "tuple[dict[str, Embeddings], Index]":
    """Vectors of the texts and views of some rows by a model of ours, and the rows."""
    from tools.retrieval.checkpoint import load_trained
    from tools.retrieval.data.index import read_index
    from tools.retrieval.encode import encode, model_encoders

    trained = load_trained(checkpoint)
    views = trained.config.views
    if view is not None:
        views = (_trained_view(trained, view),)
    data = trained.config.data
    index = read_index([dataset], selection, views=views, heading_up=data.heading_up, text=data.text, textless=True)
    text, pictures = model_encoders(trained.model, trained.device, views)
    return encode(index, trained.wanted, text, pictures), index
