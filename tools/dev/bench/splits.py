"""Shares of the splits by region, from a plan alone: no photos, no requests.

    python -m tools.dev.bench.splits [CONFIG [FILE]]

Sites are drawn as `geoscribe plan` draws them, uniformly on land; of the whole catalogue if no build file is given.
FILE gets a line of CSV for each region.
"""

import csv
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.engine.build_file import load_build
from pipeline.engine.units import ground_of
from pipeline.publishing.division import TOLERANCE, Places
from pipeline.publishing.embargo import embargoed
from pipeline.publishing.keys import NO_KEYS
from pipeline.publishing.packing import chip_diagonal_m
from pipeline.publishing.splits import NOTHING, SPLITS, draw_splits, seen_shares
from pipeline.regions.samplers.uniform import draw_points
from pipeline.regions.sampling import units
from pipeline.registry.registry import registry_of

MOST = 4_600


def main(config: Path, out: Path | None) -> None:
    build = load_build(config)
    no_caps = {"method": "uniform", "max_per_sequence": None, "max_per_contributor": None}  # they would ask a source
    sampling = build.sampling.model_copy(update=no_caps)
    build = build.model_copy(update={"sampling": sampling})
    registry, names, cells, lats, lons = registry_of(build), [], [], [], []
    for region in build.regions:
        ground = ground_of(build, registry, region)
        drawn = draw_points(ground, build.sampling.max_sites or MOST, land_only=True)
        names += [region.name] * len(drawn.lat)
        cells += units(ground, drawn)
        lats.append(drawn.lat)
        lons.append(drawn.lon)
    lat, lon, home = np.concatenate(lats), np.concatenate(lons), np.array(names, np.object_)
    places = Places(np.array(cells, np.object_), lat, lon, NO_KEYS, np.zeros(len(names), np.bool_))
    embargo_m = chip_diagonal_m(build.imagery.chips)

    started = time.process_time()
    split_of, regions = draw_splits(build, places, home, NOTHING, embargo_m)
    split = np.array([split_of[cell] for cell in cells], dtype="U16")
    split[embargoed(lat, lon, split, embargo_m) >= 0] = ""
    took = time.process_time() - started

    rows, worst, shares = [], [], seen_shares(build)
    for name, told in sorted(regions.items()):
        mine = split[home == name]
        counts = Counter(mine[mine != ""].tolist())
        row: dict[str, Any] = {"region": name, "block_resolution": told.block_resolution}
        row |= {"sites": len(mine), "published": counts.total()}
        row |= {split_name: round(counts[split_name] / counts.total(), 4) for split_name in SPLITS}
        rows.append(row)
        if not told.held_out:
            found = [counts[name] / counts.total() / share - 1 for name, share in shares.items() if share]
            worst.append(max(map(abs, found)))
    seen = [row for row in rows if not row["test_unseen"]]
    print(f"{len(rows)} regions, {len(names):,} sites; split in {took:.0f} s CPU")
    print(f"held out whole: {len(rows) - len(seen)} regions")
    filled = sum(one <= TOLERANCE for one in worst)
    print(f"every share within {TOLERANCE:.0%} of what was asked: {filled} of {len(seen)} regions")
    print(f"greatest difference from a share: {max(worst):.1%} of it")
    for name, share in shares.items():
        low, middle, high = np.quantile([row[name] for row in seen], [0, 0.5, 1])
        print(f"{name}: asked {share:.1%}; least {low:.1%}, median {middle:.1%}, most {high:.1%}")
    lost = [1 - row["published"] / row["sites"] for row in seen]
    print(f"left out between splits: median {np.median(lost):.1%}, most {max(lost):.1%}")
    print("block resolutions:", dict(sorted(Counter(str(row["block_resolution"]) for row in seen).items())))
    if out is not None:
        with out.open("w", newline="", encoding="utf-8") as file:
            table = csv.DictWriter(file, rows[0].keys())
            table.writeheader()
            table.writerows(rows)


if __name__ == "__main__":
    main(
        Path(sys.argv[1] if len(sys.argv) > 1 else "configs/world-225.yaml"),
        Path(sys.argv[2]) if len(sys.argv) > 2 else None,
    )
