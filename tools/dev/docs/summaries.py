"""Tables made from what stands in the code: rooms, sources, engines, reasons, commands."""

import importlib
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

from pipeline.config import names
from pipeline.config.by_name import section_of
from schemas.reasons import ABOUT
from tools.dev.docs.markdown import code, heading_id, table

ROOT = Path(__file__).resolve().parents[3]


def rooms() -> str:
    """The folders of `pipeline` by floor, from the import contract: each may import those on the floors below."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract.get("containers") == ["pipeline"])
    rows = [
        [str(floor), code(room), _first_line(f"pipeline.{room}")]
        for floor, layer in zip(range(len(layers), 0, -1), layers, strict=True)
        for room in layer.split(" | ")
    ]
    return table(["Floor", "Room", "What it holds"], rows)


def folders() -> str:
    """The top folders, from the import contract."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if "tools" in contract.get("layers", []))
    return table(["Folder", "What it holds"], [[code(f"{name}/"), _first_line(name)] for name in layers])


def sources() -> str:
    """Types of sources by kind."""
    kinds = [
        ("street", "street.NAME", names.STREET),
        ("aerial, drone", "aerial.NAME, sources.drone.NAME", names.AERIAL),
        ("map", "map.NAME", names.MAP),
    ]
    rows = ([kind, *row] for kind, path, known in kinds for row in _sections(known, f"sources.{path}", "type"))
    return table(["Kind", "`type`", "What it is"], rows)


def engines() -> str:
    """Engines by the key that names them."""
    kinds = [("ocr", names.OCR), ("segmenters", names.SEGMENTERS)]
    rows = ([code(kind), *row] for kind, known in kinds for row in _sections(known, f"perception.{kind}", "engine"))
    return table(["Key", "`engine`", "What it is"], rows)


def _sections(known: Mapping[str, str], path: str, tag: str) -> Iterator[list[str]]:
    for name, where in known.items():
        about = " ".join((section_of(where).__doc__ or "").split())
        yield [f"[{code(name)}](build-file.md#{heading_id(f'{path}: {tag} {name}')})", about]


def reasons() -> str:
    """Reason codes with the stage that gives them."""
    rows = [[code(key), about.stage, about.meaning, "yes" if about.passing else ""] for key, about in ABOUT.items()]
    return table(["Reason", "Stage", "Meaning", "May pass"], rows)


def commands() -> str:
    """The commands, as `geoscribe --help` has them."""
    from tools.cli.main import app

    return table(["Command", "What it does"], _commands(typer.main.get_command(app), "geoscribe"))


def _commands(command: Any, name: str) -> Iterator[list[str]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        arguments = [parameter.metavar for parameter in command.params if parameter.param_type_name == "argument"]
        usage = " ".join([name, *arguments])
        yield [code(usage), " ".join((command.help or "").split("\n\n")[0].split())]
        return
    for part, below in sorted(inner.items()):
        yield from _commands(below, f"{name} {part}")


def _first_line(module: str) -> str:
    return (importlib.import_module(module).__doc__ or "").strip().splitlines()[0]
