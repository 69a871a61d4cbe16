"""Faults injected and what became of each: `python -m tools.dev.bench.faults FOLDER [SITES]`.

The stand-in's Panoramax and Mapillary are built once without faults and once while one answer in five, and one photo in
five as it is told of, is faulty; then the sites that failed are taken up again. Only imagery is made. Faults that this
does not bring up get a build of a few sites each.
"""

import logging
import os
import re
import shutil
import sys
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console
from rich.table import Table

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from pipeline.engine.layers import list_layers, read_rows
from pipeline.errors import MachineError
from pipeline.storage import open_store
from schemas.reasons import Reason
from schemas.records import ImageryRow
from tools.dev.standin import FAULTS, Entry, Fault, Kind, Match, Part, Plan, Provider, Rule, Running, running
from tools.dev.standin.fault_rules import Dealer
from tools.dev.standin.running import SEED

CONFIGS = Path(__file__).parents[3] / "configs"
PORT = 28_765
"""And the next two, for each stand-in: rows tell addresses."""
SITES, FEW = 300, 12
SMALL = {
    "max_views": 1,
    "long_side_px": 256,
    "search_radius_m": 15,
    "chips": {"gsd_m": 0.6, "size_px": 128},
    "quality": {"min_sharpness": 0, "min_contrast": 0, "min_entropy": 0, "max_darkness": 1},
}
STREETS = (Provider.PANORAMAX, Provider.MAPILLARY)
PLACES = (
    (Provider.PANORAMAX, Part.PICTURE), (Provider.PANORAMAX, Part.ITEM), (Provider.MAPILLARY, Part.LISTING),
    (Provider.MAPILLARY, Part.PICTURE), (Provider.MAPILLARY, Part.ITEM), (Provider.TILES, Part.TILE),
    (Provider.OVERPASS, Part.MAP),
)  # fmt: skip
"""Where a fault is played that the share did not deal: the first that fits."""
_SUBJECT = re.compile(
    r"(?P<tile>\d+/\d+/\d+)(?:\.jpg)?$|(?P<uuid>[0-9a-f-]{36})/\w+\.jpg$|(?P<number>\d{15})(?:_\w+\.jpg)?$"
)
MENDED, USED = "mended within the build", "used all the same"
ANOTHER, WHOLE, UNSEEN = "the site took another photo", "the chip is whole without it", "nobody can tell"

Rows = dict[str, ImageryRow]


@dataclass
class Found:
    """How often what became of a fault."""

    fates: dict[Fault, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def note(self, fault: Fault, fate: str, count: int = 1) -> None:
        """Count a fate."""
        self.fates[fault][fate] += count


def main(folder: Path, sites: int) -> None:
    logging.basicConfig(level=logging.ERROR)
    console, found = Console(), Found()
    for street in STREETS:
        clean, faulty, mended, log = build_twice(folder / street, street, Plan(share=0.2, slow_s=2.0), sites)
        tell(found, clean, mended, log, Dealer(Plan(share=0.2), SEED), street)
        console.print(summary(street, clean, faulty, mended, log), soft_wrap=True)
    for fault in Fault:
        if fault not in found.fates:
            play(folder / fault, fault, found)
    table = Table("fault", "kind", "injected", "what became of it", box=None, pad_edge=False)
    for fault in Fault:
        fates = found.fates[fault]
        text = ", ".join(f"{count} {fate}" for fate, count in fates.most_common())
        table.add_row(fault, FAULTS[fault].kind, str(fates.total()), text)
    console.print(table)


def play(folder: Path, fault: Fault, found: Found) -> None:
    """A build of a few sites that half of what can have a fault has it."""
    provider, part = next(place for place in PLACES if FAULTS[fault].fits(*place))
    tries = [1] if FAULTS[fault].kind is Kind.TRANSIENT else None
    share = 1.0 if part is Part.MAP else 0.5
    plan = Plan(rules=[Rule(match=Match(provider=provider, part=part, share=share, tries=tries), fault=fault)])
    street = provider if provider in STREETS else Provider.PANORAMAX
    try:
        clean, _, mended, log = build_twice(folder, street, plan, FEW, overpass=part is Part.MAP)
    except MachineError as error:
        found.note(fault, f"the build stopped: {error}")
        return
    tell(found, clean, mended, log, Dealer(plan, SEED), street)


def build_twice(
    folder: Path, street: Provider, plan: Plan, sites: int, *, overpass: bool = True
) -> tuple[Rows, Rows, Rows, list[Entry]]:
    """The rows of a build without faults, of one with a plan's, and of that after a retry; and what these two asked."""
    shutil.rmtree(folder, ignore_errors=True)
    with running(port=PORT) as server:
        os.environ["STANDIN_KEY"] = server.key  # the stand-in's own, the same each time
        run_build(configured(folder / "clean", server, street, sites, overpass=overpass), stages=("imagery",))
        clean = rows(folder / "clean")
    with running(plan, port=PORT) as server:
        build = configured(folder / "faulty", server, street, sites, overpass=overpass)
        run_build(build, stages=("imagery",))
        faulty = rows(folder / "faulty")
        run_build(build, stages=("imagery",), retry=frozenset(Reason))
        return clean, faulty, rows(folder / "faulty"), server.log()


def configured(folder: Path, server: Running, street: Provider, sites: int, *, overpass: bool) -> Build:
    """The checked-in build of a street source, with small pictures and chips."""
    text = (CONFIGS / f"standin-{street}.yaml").read_text("utf-8")
    text = text.replace("http://127.0.0.1:8765", server.api).replace("127.0.0.1:8766", server.pictures_host)
    raw: dict[str, Any] = yaml.safe_load(text)
    raw |= {"workspace": "workspace", "dataset": "dataset", "imagery": SMALL}
    raw["sources"]["aerial"] = {"tiles": tiles(server)}
    raw["sampling"] = {"spacing_m": 16, "max_sites": sites}
    raw["network"] |= {"cache": str(folder / "cache"), "tries": 6, "retry_share": 0.5, "total_timeout_s": 90}
    raw["network"] |= {"max_wait_s": 30, "read_timeout_s": 60}
    if not overpass:
        raw["sources"]["map"] = {"map": {"type": "world", "seed": SEED}}
    return parse_build(raw, base=folder)


def tiles(server: Running) -> dict[str, Any]:
    """The section of an aerial source that names its tiles as the log does."""
    template = f"{server.api}/tiles/world/{{z}}/{{x}}/{{y}}.jpg"
    terms = {"author": "geoscribe synthetic world", "licence": "CC0-1.0", "link": "https://example.org/geoscribe-world"}
    rate = {"per_s": 100, "at_once": 8}
    return {"type": "xyz", "template": template, "max_zoom": 20, "credits": terms, "rate": rate}


def rows(folder: Path) -> Rows:
    """The imagery rows of a build in a folder, by site."""
    store = open_store(str(folder / "workspace"), read_only=True)
    found = [row for file in list_layers(store, "imagery") for row in read_rows(store, file, ImageryRow)]
    return {row.site_id: row for row in found}


def tell(found: Found, clean: Rows, mended: Rows, log: Sequence[Entry], dealer: Dealer, street: Provider) -> None:
    """Note what became of each fault that was met."""
    asked: dict[str, list[Entry]] = defaultdict(list)
    for entry in log:
        asked[entry.identity].append(entry)
    for entries in asked.values():
        for number, entry in enumerate(entries):
            if entry.fault is not None:
                found.note(entry.fault, fate(entry, entries[number + 1 :], clean, mended))
    told = {photo.source_id for row in clean.values() for photo in row.considered}
    for photo_id in sorted(told):
        item = dealer.item(street, photo_id)
        if item is not None:
            found.note(item, USED if FAULTS[item].kind is Kind.HARMLESS else fate_of_photo(photo_id, clean, mended))


def fate(entry: Entry, later: Sequence[Entry], clean: Rows, mended: Rows) -> str:
    """The fate of a faulty answer, given the later ones to the same question."""
    assert entry.fault is not None
    if FAULTS[entry.fault].kind is Kind.HARMLESS:
        return USED
    if any(one.status in {200, 304} and (one.fault is None or is_harmless(one.fault)) for one in later):
        return MENDED
    if entry.fault is Fault.TOO_MUCH_DATA:
        return "asked for in smaller boxes"
    subject = _SUBJECT.search(entry.path)
    if subject is None:
        return fate_of_search(entry, clean, mended)
    if entry.part is Part.TILE:
        return fate_of_tile(subject["tile"], entry.fault, clean, mended)
    return fate_of_photo(subject["uuid"] or subject["number"] or "", clean, mended)


def is_harmless(fault: Fault) -> bool:
    return FAULTS[fault].kind is Kind.HARMLESS


def fate_of_photo(photo_id: str, clean: Rows, mended: Rows) -> str:
    """The fate of a photo that cannot be had, or not be used."""
    near = [mended[site] for site, row in clean.items() if any(p.source_id == photo_id for p in row.considered)]
    failed = next((row for row in near if row.status == "failed"), None)
    if failed is None:
        return ANOTHER if near else "not needed"
    own = next((p.verdict.split(":")[0] for p in failed.considered if p.source_id == photo_id), None)
    if own == failed.reason or (own is None and not failed.considered):
        return f"row: {failed.reason}"
    return f"passed over{f' ({own})' if own else ''}, as were the site's others"


def fate_of_tile(tile: str, fault: Fault, clean: Rows, mended: Rows) -> str:
    """The fate of a tile that cannot be had, for the worst of the sites that it is of."""
    names = {site: (row.aerial.source_id.split() if row.aerial else []) for site, row in clean.items()}
    near = [mended[site] for site, parts in names.items() if any(name.endswith(f"/{tile}") for name in parts)]
    if fault is Fault.TMS_ROWS:
        return UNSEEN
    failed = [row for row in near if row.reason is not None and "aerial" in (row.detail or "")]
    if failed:
        return f"row: {failed[0].reason}"
    lacking = [view for row in near for view in row.missing if view.view == "aerial"]
    own = [view.reason for view in lacking if tile in view.detail or view.reason is Reason.PARTLY_COVERED]
    if own:
        return f"no aerial chip: {own[0]}"
    return "its chips lacked another tile, too" if lacking else WHOLE


def fate_of_search(entry: Entry, clean: Rows, mended: Rows) -> str:
    """The fate of a search, for the site that it was of."""
    if "bbox" not in entry.query:
        return "nothing: the build needed no answer"
    west, south, east, north = map(float, entry.query["bbox"].split(","))
    lat, lon = (south + north) / 2, (west + east) / 2
    site = min(clean, key=lambda name: (clean[name].lat - lat) ** 2 + (clean[name].lon - lon) ** 2)
    row = mended[site]
    if row.status == "failed":
        return f"row: {row.reason}" + (f" ({UNSEEN})" if entry.fault is Fault.EMPTY else "")
    return ANOTHER


def summary(street: Provider, clean: Rows, faulty: Rows, mended: Rows, log: Sequence[Entry]) -> str:
    """How the builds compare, in words."""
    answers = [entry for entry in log if entry.part is not None]
    share = sum(entry.fault is not None for entry in answers) / len(answers)
    same = sum(mended[site] == row for site, row in clean.items())
    saved = sum(faulty[site].status == "failed" and mended[site].status == "ok" for site in clean)
    failed = ", ".join(f"{n} {reason}" for reason, n in reasons(mended).most_common())
    return (
        f"{street}: {len(clean)} sites, {len(answers)} requests, {share:.0%} of the answers faulty. {same} sites are "
        f"byte for byte as without faults; failed: {failed or 'none'} (without faults: "
        f"{', '.join(f'{n} {reason}' for reason, n in reasons(clean).most_common()) or 'none'}); {saved} were saved by "
        "the retry"
    )


def reasons(found: Mapping[str, ImageryRow]) -> Counter[str]:
    """How many sites failed for each reason."""
    return Counter(str(row.reason) for row in found.values() if row.reason is not None)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else SITES)
