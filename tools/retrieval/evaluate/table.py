"""Format figures as text or JSON, with gallery size, chance and interval."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from itertools import groupby

from tools.retrieval.evaluate.figures import Figure, Measured
from tools.retrieval.evaluate.nearest import Nearest, NearestFigures


def as_text(found: Sequence[Measured], nearest: Nearest | None = None) -> str:
    """Format one block per protocol and one line per figure."""
    lines = []
    for protocol, rows in groupby(found, key=lambda measured: measured.protocol):
        lines.append(protocol)
        for measured in rows:
            lines.append(
                f"  {measured.stratum}: {measured.queries:,} queries, gallery {measured.gallery:,}, "
                f"{measured.blocks:,} blocks"
            )
            lines += [f"    {_line(figure)}" for figure in measured.figures]
    if nearest is not None:
        lines.append("CVG-Text's protocol: the 100 nearest chips alone; compare it with no other")
        for name in ("overall", "panorama", "single_view"):
            block: NearestFigures | None = getattr(nearest, name)
            if block is not None:
                lines += _nearest_lines(name.replace("_", " "), block)
    return "\n".join(lines) + "\n"


def as_json(found: Sequence[Measured], nearest: Nearest | None = None) -> str:
    """Format all figures for programs."""
    content = {"measured": [asdict(measured) for measured in found]}
    if nearest is not None:
        content["cvgtext_100_nearest"] = asdict(nearest)  # type: ignore[assignment]  # JSON takes both
    return json.dumps(content, indent=1) + "\n"


def shown(name: str, value: float) -> str:
    """Format a figure's value with its unit."""
    if name == "mean deviation":
        return f"{value:.3f} km"
    if name == "MRR":
        return f"{value:.4f}"
    if name == "median rank":
        return f"{value:,.1f}"
    return f"{value:.1%}" if value == 0 or value >= 0.001 else f"{100 * value:.2g}%"


def _line(figure: Figure) -> str:
    spread = "one block: no interval"
    if figure.low is not None and figure.high is not None:
        spread = f"{shown(figure.name, figure.low)} to {shown(figure.name, figure.high)}"
    value, expected = (shown(figure.name, number) for number in (figure.value, figure.chance))
    return f"{figure.name:15}{value:>10}  ({spread}); chance {expected}"


def _nearest_lines(name: str, block: NearestFigures) -> list[str]:
    recall = ", ".join(
        f"R@{k} {value:.2%} (chance {min(1.0, k / block.candidates):.0%})" for k, value in block.recall.items()
    )
    located = ", ".join(f"L@{metres} {value:.2%}" for metres, value in block.located.items())
    lines = [
        f"  {name}: {block.queries:,} queries, {block.candidates} candidates each",
        f"    {recall}",
        f"    {located}, mean deviation {block.deviation_km:.3f} km",
    ]
    if block.left_out:
        lines.append(
            f"    {block.left_out:,} queries whose own chip is not among the {block.candidates} (too many at one place)"
        )
    return lines
