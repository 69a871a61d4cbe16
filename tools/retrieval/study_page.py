"""Write a study's table as Markdown and its curves as SVG, small enough for the documentation."""

from collections.abc import Callable, Sequence
from pathlib import Path

from tools.output import writing
from tools.retrieval.data.select import Reference
from tools.retrieval.evaluate.figures import Figure
from tools.retrieval.study import Row, Study
from tools.retrieval.train.curves import chart, drawn


def write_study(study: Study, rows: Sequence[Row], folder: Path, command: str) -> list[Path]:
    """Write `<name>.md` and `<name>.svg` into a folder; returns their paths."""
    page, picture = folder / f"{study.name}.md", folder / f"{study.name}.svg"
    with writing(page):
        page.write_text(as_markdown(study, rows, command), encoding="utf-8", newline="\n")
    reference = study.references[0]
    one = chart(f"Text to {reference}: R@10 on val, mean of {len(study.seeds)} seeds",
                {row.name: row.curve for row in rows if len(row.curve) > 1}, unit="epoch")  # fmt: skip
    if one is not None:
        with writing(picture):
            picture.write_text(drawn(one), encoding="utf-8", newline="\n")
    return [page, picture]


def as_markdown(study: Study, rows: Sequence[Row], command: str) -> str:
    """Format the table, with gallery, chance and interval for each figure."""
    told = ", ".join(study.test.regions or study.test.splits)
    method = (
        f"Made by `{command}`: {len(study.seeds)} seeds, chosen on val, tested on {told}. Chips that overlap the right "
        "one by over 25 % are left out of its ranking. Intervals (95 %) are resampled over blocks of the test; a query "
        f"counts with the mean of its hits over the seeds. `less {rows[0].name}`: R@10 less that of this row, query by "
        "query, in points, with its interval."
    )
    lines = [f"# {study.name}", "", method, "", f"![R@10 on val by epoch]({study.name}.svg)"]
    for reference in study.references:
        first = rows[0]
        recall = first.figures[reference]
        chances = ", ".join(f"{figure.name} {figure.chance:.1%}" for figure in recall)
        size = f"{first.queries[reference]:,} queries, gallery {first.gallery[reference]:,}"
        lines += [
            "",
            f"Text to {reference}: {size}; chance {chances}.",
            "",
            f"| text | R@10 | 95 % | single seeds | times chance | less {first.name} | R@5 | R@1 |",
            "|---|---|---|---|---|---|---|---|",
            *(_line(row, reference) for row in rows),
        ]
    return "\n".join(lines) + "\n"


def _line(row: Row, reference: Reference) -> str:
    one, five, ten = row.figures[reference]
    low, high = row.spread[reference]
    beyond = row.beyond.get(reference)
    gained = "" if beyond is None else f"{100 * beyond.value:+.1f}: {_interval(beyond, lambda x: f'{100 * x:+.1f}')}"
    return (
        f"| {row.name} | {ten.value:.1%} | {_interval(ten, lambda x: f'{x:.1%}')} | {low:.1%} to {high:.1%} "
        f"| {ten.value / ten.chance:.1f} | {gained} | {five.value:.1%} | {one.value:.1%} |"
    )


def _interval(figure: Figure, told: Callable[[float], str]) -> str:
    return "one block" if figure.low is None or figure.high is None else f"{told(figure.low)} to {told(figure.high)}"
