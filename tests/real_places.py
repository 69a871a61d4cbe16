"""Builds of real places: the build files of `configs`, with the corpus where this machine has it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

from tests.perception.street_models import street_models

ROOT = Path(__file__).parents[1]
GROUPS = {"seoul": "seoul_jongno", "boulder": "boulder_co"}
"""Group of the corpus' photos, by build file."""


def geoscribe(*args: str | Path) -> str:
    """Run a command that must succeed; returns what it prints."""
    command = [sys.executable, "-m", "tools.cli.main", *map(str, args)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def write_real(folder: Path, corpus: Path, name: str, **sections: dict[str, Any]) -> Path:
    """Write the build file of a real place into a folder, beside which `dataset` will be.

    Args:
        folder: where to.
        corpus: folder of the corpus.
        name: of a file in `configs`.
        sections: keys of sections (`sampling={"max_sites": 8}`) that differ.
    """
    index = folder / "index.jsonl"
    geoscribe("index-manifest", corpus / "MANIFEST.jsonl", "--group", GROUPS[name], "--out", index)
    raw = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text())
    (street,) = raw["sources"]["street"].values()
    street |= {"index": str(index), "root": str(corpus)}
    (around,) = raw["sources"]["map"].values()
    around["files"] = [str(corpus / "osm" / Path(file).name) for file in around["files"]]
    raw |= {"workspace": "workspace", "dataset": "dataset"}
    # As in boulder-cpu.yaml: of what the default segmenter is sure of, a description of most places cannot be made.
    raw |= {
        "perception": {"segmenters": street_models(corpus)},
        "captioner": {"engine": "composer", "min_confidence": 0.7},
    }
    for section, values in sections.items():
        raw[section] = raw.get(section, {}) | values
    file = folder / "build.yaml"
    file.write_text(yaml.safe_dump(raw, allow_unicode=True))
    return file
