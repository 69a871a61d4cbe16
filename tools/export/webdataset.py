"""`webdataset`: tar shards as the library webdataset reads them, one group of files a sample.

    train-000000.tar: ID.street.jpg ID.panorama.jpg ID.other-1.jpg ID.aerial.jpg ID.drone.jpg ID.map.png ID.txt ID.json

`txt` is the description, `json` all the rest. A view that a sample lacks is no file.
"""

import io
import json
import tarfile
from collections.abc import Iterable
from contextlib import ExitStack
from typing import Annotated

from pydantic import Field

from schemas.records import Sample
from tools.export.base import Export, Target, named_pictures, suffix, without_pictures


class WebDataset(Export):
    """Tar shards for the library webdataset."""

    shard_mb: Annotated[float, Field(gt=0, le=10_000)] = 256.0
    """Size from which on a new shard is begun, in megabytes."""

    def write(self, samples: Iterable[Sample], target: Target) -> None:
        """Write shards of each split; the same samples give the same bytes."""
        with ExitStack() as stack:
            shards: dict[str, _Shards] = {}
            for sample in samples:
                if sample.split not in shards:
                    shards[sample.split] = _Shards(sample.split, self.shard_mb * 1e6, target)
                    stack.callback(shards[sample.split].close)
                shards[sample.split].add(_files(sample, self))
                target.take(sample, self.roles)


def _files(sample: Sample, form: WebDataset) -> dict[str, bytes]:
    files = {
        f"{sample.sample_id}.{name}{suffix(image)}": image.bytes
        for name, _, image, _ in named_pictures(sample, form.roles)
    }
    text = json.dumps(without_pictures(sample), ensure_ascii=False)
    return files | {f"{sample.sample_id}.txt": sample.description.encode(), f"{sample.sample_id}.json": text.encode()}


class _Shards:
    """The shards of a split, one open at a time."""

    def __init__(self, split: str, most: float, target: Target) -> None:
        self._split, self._most, self._target = split, most, target
        self._number, self._size = 0, 0
        self._tar: tarfile.TarFile | None = None

    def add(self, files: dict[str, bytes]) -> None:
        """Write a sample's files next to each other."""
        size = sum(map(len, files.values()))
        if self._tar is not None and self._size + size > self._most:
            self.close()
        if self._tar is None:
            path = self._target.folder / f"{self._split}-{self._number:06d}.tar"
            self._tar = tarfile.open(path, "x", format=tarfile.USTAR_FORMAT)  # noqa: SIM115 - closed by `close`
            self._number, self._size = self._number + 1, 0
        for name, data in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            self._tar.addfile(member, io.BytesIO(data))
        self._size += size

    def close(self) -> None:
        """Finish the open shard."""
        if self._tar is not None:
            self._tar.close()
            self._tar = None
