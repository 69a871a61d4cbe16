"""Converts a manifest of photos to the index of a folder source (`pipeline.sources.street.folder`).

A manifest is JSON Lines, one object per file, with `path`, `kind`, `lat`, `lon`, `group`, `projection`, `licence` and
`attribution`, and if known `heading`, `capture_time`, `notes` and `source_url`. The paths of the index are relative to
the manifest's folder, which becomes the source's `root`.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic_core import from_json

from pipeline.boundary import reading
from pipeline.errors import ConfigError, Problem
from tools.output import writing

_LINK = re.compile(r"https?://\S+")
_HFOV = re.compile(r"\bhfov_deg=([0-9]+(?:\.[0-9]+)?)\b")
_TEXTS = frozenset({"path", "group", "licence", "attribution", "notes", "source_url", "capture_time"})
"""Keys whose values are texts; others count as missing."""
_PROJECTIONS = {
    word: projection
    for projection, words in {
        "perspective": ("perspective", "pinhole", "rectilinear", "flat", "planar"),
        "equirectangular": ("equirectangular", "equirect", "spherical", "photosphere", "panorama", "pano", "360"),
    }.items()
    for word in words
}
"""Projections by the first word of their names in manifests: `perspective (dashcam)`."""
_PARTLY = re.compile(r"crop|partial|part of|half|180")


def index_from_manifest(manifest: Path, place_prefix: str, dropped: list[str] | None = None) -> list[dict[str, Any]]:
    """Index rows for a manifest's street photos, in its order.

    Args:
        manifest: JSON Lines. Rows of `kind` street are taken whose `projection`, in whatever words, is perspective
            or equirectangular.
        place_prefix: beginning of the `group` of the rows to take.
        dropped: the street photos of the group that are not taken go here, a line each, with why.

    Returns:
        Rows with the columns of a folder source. The link is the URL in the attribution, or else in `source_url`; the
        author is the attribution without it; the field of view is the `hfov_deg=` in the notes, if any.

    Raises:
        ConfigError: rows that cannot be read, or lack a licence, an author or a link.
    """
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    with reading(manifest, "JSON Lines in UTF-8"):
        lines = manifest.read_text(encoding="utf-8-sig").split("\n")
    for number, line in enumerate(lines, 1):
        where = f"{manifest.name}:{number}"
        if not line.strip():
            continue
        try:
            entry = from_json(line)
        except ValueError as error:
            problems.append(Problem(where, f"broken JSON ({error})", "one JSON object a line"))
            continue
        if not isinstance(entry, dict):
            problems.append(Problem(where, f"a {type(entry).__name__}", "one JSON object a line"))
            continue
        entry = {key: value for key, value in entry.items() if key not in _TEXTS or isinstance(value, str)}
        if entry.get("kind") != "street" or not entry.get("group", "").startswith(place_prefix):
            continue
        lacking = [key for key in ("path", "lat", "lon") if entry.get(key) is None]
        if lacking:
            problems.append(Problem(where, f"no {', '.join(lacking)}", "path, lat and lon of each street photo"))
            continue
        projection = _projection(entry.get("projection"))
        if projection is None:
            if dropped is not None:
                dropped.append(f"{where} {entry['path']}: projection {entry.get('projection')!r}")
            continue
        row = _row(entry, projection)
        missing = [key for key in ("licence", "author", "link") if not row[key]]
        problems += [Problem(f"{where} {key}", "nothing", f"a {key} for {row['path']}") for key in missing]
        rows.append(row)
    if problems:
        raise ConfigError(problems)
    return rows


def _projection(stated: Any) -> str | None:
    """`perspective` or `equirectangular`; None for another projection, and for a part of a sphere."""
    words = re.findall("[a-z0-9]+", str(stated).lower())
    found = _PROJECTIONS.get(words[0]) if words else None
    return None if found == "equirectangular" and _PARTLY.search(str(stated).lower()) else found


def _row(entry: dict[str, Any], projection: str) -> dict[str, Any]:
    attribution = entry.get("attribution") or ""
    hfov = _HFOV.search(entry.get("notes") or "")
    return {
        "path": entry["path"],
        "id": Path(entry["path"]).stem,
        "lat": entry["lat"],
        "lon": entry["lon"],
        "heading": entry.get("heading"),
        "hfov_deg": float(hfov[1]) if hfov and projection == "perspective" else None,
        "projection": projection,
        "captured_at": entry.get("capture_time"),
        "author": _LINK.sub("", attribution).strip(" ,;"),
        "licence": entry.get("licence"),
        "link": _link(attribution) or _link(entry.get("source_url") or ""),
    }


def _link(text: str) -> str | None:
    found = _LINK.search(text)
    if found is None:
        return None
    link = found[0].rstrip(",;")
    # A bracket belongs to the link only if it opens in it, as in names on Wikimedia Commons.
    return link if "(" in link else link.rstrip(")")


def index_manifest(
    manifest: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="JSON Lines, one object a file.")],
    group: Annotated[str, typer.Option(help="Take the photos whose group begins with this.")],
    out: Annotated[Path, typer.Option(help="Index to write (.jsonl).")],
) -> None:
    """Write the index of a folder source from a manifest's street photos."""
    dropped: list[str] = []
    rows = index_from_manifest(manifest, group, dropped)
    for line in dropped:
        typer.echo(f"left out: {line}", err=True)
    if not rows:
        raise ConfigError([Problem(str(manifest), f"no street photo of a group {group}*", "a group of the manifest")])
    with writing(out):
        out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    typer.echo(f"{len(rows)} photos in {out}; their paths are relative to {manifest.parent}")


if __name__ == "__main__":
    typer.run(index_manifest)
