"""The map of the catalogue as a page: one HTML file that needs nothing else, and no script."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.regions.catalogue import CONTINENTS, SOURCE, Entry
from tools.regions.world import COLOURS, HEIGHT, WIDTH, Floats, globe, land, on_map, summary

_TEMPLATE = "page.html.jinja"


def write_page(entries: Sequence[Entry], out: Path) -> None:
    """Write the page: map with a dot a region, which leads to its line in the table below."""
    x, y = on_map(np.array([entry.lon for entry in entries]), np.array([entry.lat for entry in entries]))
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    page = environment.get_template(_TEMPLATE).render(
        summary=summary(entries),
        source=SOURCE,
        width=WIDTH,
        height=HEIGHT,
        globe=_path([globe()]),
        land="".join(_path(rings) for rings in land()),
        dots=[
            (entry, round(cx, 1), round(cy, 1)) for entry, cx, cy in zip(entries, x.tolist(), y.tolist(), strict=True)
        ],
        groups=[(name, [entry for entry in entries if entry.continent == code]) for code, name in CONTINENTS.items()],
        colours=COLOURS,
    )
    out.write_text(page + "\n", encoding="utf-8")


def _path(rings: Sequence[Floats]) -> str:
    """SVG path data; waters within land are cut out by the even-odd rule."""
    return "".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring.tolist()) + "Z" for ring in rings)
