"""A real file system that is small, and can be made larger."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    where = tmp_path / "disk"
    where.mkdir()
    if subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", where], check=False, capture_output=True
    ).returncode:
        pytest.skip("mounting a small file system needs root")
    yield where
    subprocess.run(["umount", where], check=True)


def resize(disk: Path, size: str) -> None:
    """Give the file system another size, in bytes or as `16m`."""
    subprocess.run(["mount", "-o", f"remount,size={size}", disk], check=True)
