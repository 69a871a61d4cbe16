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

from pipeline.errors import ConfigError, Problem

_LINK = re.compile(r"https?://\S+")
_HFOV = re.compile(r"\bhfov_deg=([0-9.]+)\b")
_PROJECTIONS = frozenset({"perspective", "equirectangular"})


def index_from_manifest(manifest: Path, place_prefix: str) -> list[dict[str, Any]]:
    """Index rows for a manifest's street photos, in its order.

    Args:
        manifest: JSON Lines. Only rows of `kind` street with a perspective or equirectangular `projection` are taken.
        place_prefix: beginning of the `group` of the rows to take.

    Returns:
        Rows with the columns of a folder source. The link is the URL in the attribution, or else in `source_url`; the
        author is the attribution without it; the field of view is the `hfov_deg=` in the notes, if any.

    Raises:
        ConfigError: rows that cannot be read, or lack a licence, an author or a link.
    """
    rows: list[dict[str, Any]] = []
    problems: list[Problem] = []
    for number, line in enumerate(manifest.read_text(encoding="utf-8").splitlines(), 1):
        where = f"{manifest.name}:{number}"
        try:
            entry = json.loads(line)
        except ValueError as error:
            problems.append(Problem(where, f"broken JSON ({error})", "one JSON object a line"))
            continue
        if entry.get("kind") != "street" or entry.get("projection") not in _PROJECTIONS:
            continue
        if not (entry.get("group") or "").startswith(place_prefix):
            continue
        row = _row(entry)
        missing = [key for key in ("licence", "author", "link") if not row[key]]
        problems += [Problem(f"{where} {key}", "nothing", f"a {key} for {row['path']}") for key in missing]
        rows.append(row)
    if problems:
        raise ConfigError(problems)
    return rows


def _row(entry: dict[str, Any]) -> dict[str, Any]:
    attribution = entry.get("attribution") or ""
    hfov = _HFOV.search(entry.get("notes") or "")
    return {
        "path": entry["path"],
        "id": Path(entry["path"]).stem,
        "lat": entry["lat"],
        "lon": entry["lon"],
        "heading": entry.get("heading"),
        "hfov_deg": float(hfov[1]) if hfov and entry["projection"] == "perspective" else None,
        "projection": entry["projection"],
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
    rows = index_from_manifest(manifest, group)
    if not rows:
        raise ConfigError([Problem(str(manifest), f"no street photo of a group {group}*", "a group of the manifest")])
    out.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    typer.echo(f"{len(rows)} photos in {out}; their paths are relative to {manifest.parent}")


if __name__ == "__main__":
    typer.run(index_manifest)
