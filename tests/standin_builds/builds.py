"""Builds against a stand-in, and what is read of them."""

import copy
import socket
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from pipeline.engine.layers import list_layers, read_rows
from pipeline.storage import open_store
from schemas.records import ImageryRow
from tests.command import ROOT, run_here
from tests.engine.conftest import changed
from tests.publishing.folders import listed
from tools.dev.standin import Entry, Provider, Running
from tools.dev.standin.running import DEFAULT_KEY

COMMAND = [sys.executable, "-m", "tools.cli.main"]
CREDITS = {"author": "geoscribe synthetic world", "licence": "CC0-1.0", "link": "https://example.org/geoscribe-world"}
RATES = {
    Provider.PANORAMAX: {"per_s": 40, "at_once": 6},
    Provider.MAPILLARY: {"per_s": 40, "at_once": 6},
    Provider.TILES: {"per_s": 60, "at_once": 6},
    Provider.OVERPASS: {"per_s": 5, "at_once": 2},
}
"""What the builds' sources may ask; Mapillary's coverage tiles keep to what is listed."""
KEY_ENV = "STANDIN_KEY"
SMALL: dict[str, Any] = {
    "name": "standin",
    "seed": 7,
    "workspace": "workspace",
    "dataset": "dataset",
    "regions": [{"name": "vieux-port", "centre": [46.1591, -1.1520], "radius_m": 450}],
    "sampling": {"spacing_m": 16, "max_sites": 300},
    "imagery": {
        "search_radius_m": 15,
        "max_views": 1,
        "long_side_px": 256,
        "chips": {"gsd_m": 0.6, "size_px": 128},
        "quality": {"min_sharpness": 0, "min_contrast": 0, "min_entropy": 0, "max_darkness": 1},
    },
    "publish": {"shard_mb": 0.5, "row_group_mb": 0.2, "min_duplicate_distance": 0, "allow_empty": ["val", "test_seen"]},
    "limits": {"workers": 2, "sites_at_once": 8, "allowed_failed_share": 1.0},
    "network": {
        "contact": "standin@example.org",
        "allow_loopback": True,
        "cache": "cache",
        "connect_timeout_s": 5,
        "read_timeout_s": 60,  # the stand-in draws a map for seconds
        "total_timeout_s": 90,
        "tries": 6,
        "max_wait_s": 30,
        "retry_share": 0.5,
    },
}


def panoramax(server: Running) -> dict[str, Any]:
    """A section of a street source."""
    return {"type": "panoramax", "endpoint": f"{server.api}/panoramax/api", "rate": RATES[Provider.PANORAMAX]}


def mapillary(server: Running) -> dict[str, Any]:
    """A section of a street source with a key."""
    return {
        "type": "mapillary",
        "endpoint": f"{server.api}/mapillary/graph",
        "tiles_endpoint": f"{server.api}/mapillary/tiles",
        "allowed_hosts": [server.pictures_host],
        "key_env": KEY_ENV,
        "rate": RATES[Provider.MAPILLARY],
    }


def tiles(server: Running, template: str = "tiles/world/{z}/{x}/{y}.jpg") -> dict[str, Any]:
    """A section of an aerial source."""
    address = f"{server.api}/{template}"
    return {"type": "xyz", "template": address, "max_zoom": 20, "credits": CREDITS, "rate": RATES[Provider.TILES]}


def overpass(server: Running) -> dict[str, Any]:
    """A section of a map source."""
    endpoint = f"{server.api}/overpass/api/interpreter"
    return {"type": "overpass", "endpoint": endpoint, "credits": CREDITS, "rate": RATES[Provider.OVERPASS]}


def write_build(folder: Path, server: Running, **changes: Any) -> Path:
    """The file of a small build of the stand-in's Panoramax, tiles and Overpass, with changes as dotted keys."""
    raw = copy.deepcopy(SMALL)
    raw["sources"] = {
        "street": {"street": panoramax(server)},
        "aerial": {"aerial": tiles(server)},
        "map": {"map": overpass(server)},
    }
    raw["network"]["cache"] = str(folder / "cache")
    raw = changed(raw, changes)
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "build.yaml"
    file.write_text(yaml.safe_dump(raw))
    return file


def geoscribe(*args: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, with the stand-in's key in the environment."""
    given = {"PATH": "/usr/bin:/bin", "COLUMNS": "200", "HOME": "/nonexistent", KEY_ENV: DEFAULT_KEY, **environment}
    return subprocess.run([*COMMAND, *map(str, args)], capture_output=True, text=True, check=False, cwd=ROOT, env=given)


def geoscribe_here(*args: str | Path) -> subprocess.CompletedProcess[str]:
    """Likewise in this process, where it is not the process that is tested."""
    return run_here(*args, environment={"COLUMNS": "200", KEY_ENV: DEFAULT_KEY})


def imagery_rows(folder: Path) -> dict[str, ImageryRow]:
    """The rows of the imagery layer of a build in a folder, by site."""
    store = open_store(str(folder / "workspace"), read_only=True)
    rows = [row for file in list_layers(store, "imagery") for row in read_rows(store, file, ImageryRow)]
    found = {row.site_id: row for row in rows}
    assert len(found) == len(rows), "a site has two rows"
    return found


def shards(folder: Path) -> dict[str, str]:
    """Digest of every shard of a build in a folder, by its path."""
    return {path: digest for path, digest in listed(folder / "dataset").items() if path.startswith("data/")}


def free_port() -> int:
    """The first of three free ports."""
    while True:
        with socket.socket() as one, socket.socket() as two, socket.socket() as three:
            one.bind(("127.0.0.1", 0))
            port: int = one.getsockname()[1]
            try:
                two.bind(("127.0.0.1", port + 1))
                three.bind(("127.0.0.1", port + 2))
            except (OSError, OverflowError):
                continue
            return port


def most_at_once(log: Iterable[Entry]) -> int:
    """The most requests that were under way at a time."""
    ends = [(e.arrived_s, 1) for e in log] + [(e.arrived_s + e.seconds, -1) for e in log]
    under_way, most = 0, 0
    for _, step in sorted(ends):
        under_way += step
        most = max(most, under_way)
    return most
