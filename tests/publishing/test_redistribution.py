"""What a source forbids to pass on is told in the sample, the manifest and the card, and checked by verify."""

from collections.abc import Callable
from pathlib import Path

import h3
import pyarrow.parquet as pq

from pipeline.config.build import Build
from pipeline.config.sources import XyzSource
from pipeline.publishing.manifest import Manifest
from pipeline.publishing.publish import publish
from pipeline.publishing.units import FinishedUnit
from pipeline.quantity import quantity
from pipeline.storage import open_store
from schemas.records import ImageryRow
from tools.verify.verify import verify


def closed(row: ImageryRow) -> ImageryRow:
    """As where the aerial source's terms forbid it; only every second site has an aerial chip of it."""
    if row.aerial is None or int(row.site_id[-1], 36) % 2:
        return row
    return row.model_copy(update={"aerial": row.aerial.model_copy(update={"redistributable": False})})


def test_what_may_not_be_passed_on_is_told_everywhere(
    make_build: Callable[..., Build], make_unit: Callable[..., FinishedUnit], tmp_path: Path
) -> None:
    esri = XyzSource(type="xyz", preset="esri-world-imagery", separate_agreement="contract 4711")
    build = make_build()
    build = build.model_copy(update={"sources": build.sources.model_copy(update={"aerial": {"ortho": esri}})})
    cells = [h3.latlng_to_cell(52.2 + 0.05 * n, 13.2, 9) for n in range(6)]
    units = [make_unit("north", cell, sites=5, change=closed) for cell in cells]
    store = open_store(str(tmp_path))
    publish(build, units, store, synthetic=set(), provenance={})

    rows = [row for shard in sorted(tmp_path.glob("data/**/*.parquet")) for row in pq.read_table(shard).to_pylist()]
    flagged = sum(not row["redistributable"] for row in rows)
    expected = sum(row["aerial_chip"] is not None and not row["aerial_chip"]["redistributable"] for row in rows)
    assert 0 < flagged < len(rows)
    assert flagged == expected
    assert Manifest.model_validate_json((tmp_path / "manifest.json").read_bytes()).counts.not_redistributable == flagged
    card = (tmp_path / "README.md").read_text()
    assert f"Not to be passed on.** Pictures whose source forbids it are in {quantity(flagged, 'sample')} (" in card
    assert "ortho: used under a separate agreement: contract 4711" in card
    assert verify(store) == []
