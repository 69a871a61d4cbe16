"""CPU of reading training batches beside others: `python -m tools.dev.bench.loader DATASET [SPLIT]`.

Beside WebDataset and img2dataset's Parquet. The same samples (text and aerial chip) are written as tar files for
WebDataset and as Parquet files with the columns jpg and txt, as img2dataset writes them. All three are read in one
process with our decoder and the same tokens, and once without either. WebDataset is also read as its users do: with its
own decoder (Pillow, at full size) and Pillow's `resize`. What is compared is CPU a sample, the least of three
rounds, in each of which all take a turn. Needs webdataset (BSD-3), which is no dependency: `pip install webdataset`.
"""

import io
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import webdataset
from PIL import Image

from tools.retrieval.data.batches import Input, make_batch
from tools.retrieval.data.index import Index, read_index
from tools.retrieval.data.order import Mixing
from tools.retrieval.data.pictures import picture
from tools.retrieval.data.rows import RowReader
from tools.retrieval.data.select import Selection
from tools.retrieval.data.stream import Plan
from tools.retrieval.models.tokens import ClipTokens

SIZE_PX, BATCH, WINDOW, ROUNDS = 224, 64, 16, 3
SHARD_ROWS = 300
WANTED = Input("description", ("aerial",), SIZE_PX, heading_up=False, signatures=False, tokens=ClipTokens(300))


def ours(index: Index, decode: bool) -> Iterator[int]:
    plan = Plan(index, Mixing(BATCH, WINDOW, lanes=1, seed=1))
    (batches,) = plan.epoch(0)
    for rows, found in zip(batches, RowReader(index, WANTED.columns()).read(batches), strict=True):
        if decode:
            make_batch(index, rows, found, WANTED)
        yield len(rows)


def prepared(samples: list[tuple[bytes, str]], decode: bool) -> int:
    """Prepare samples as `make_batch` does."""
    if decode:
        np.stack([picture(jpg, SIZE_PX) for jpg, _ in samples])
        WANTED.tokens([text for _, text in samples])
    return len(samples)


def by_webdataset_alone(tars: list[str]) -> Iterator[int]:
    """With WebDataset's own decoder, which gives a picture of Pillow's."""
    stream = webdataset.WebDataset(tars, shardshuffle=len(tars), seed=1).shuffle(WINDOW * 33).decode("pil")
    for batch in stream.to_tuple("jpg", "txt").batched(BATCH, collation_fn=list, partial=False):
        side = (SIZE_PX, SIZE_PX)
        np.stack([np.asarray(image.resize(side, Image.Resampling.BICUBIC)).transpose(2, 0, 1) for image, _ in batch])
        WANTED.tokens([text for _, text in batch])
        yield len(batch)


def by_webdataset(tars: list[str], decode: bool) -> Iterator[int]:
    stream = webdataset.WebDataset(tars, shardshuffle=len(tars), seed=1).shuffle(WINDOW * 33)
    for batch in stream.to_tuple("jpg", "txt").batched(BATCH, collation_fn=list, partial=False):
        yield prepared([(jpg, txt.decode()) for jpg, txt in batch], decode)


def by_parquet(files: list[Path], decode: bool) -> Iterator[int]:
    """In the files' order: img2dataset's Parquet has no loader of its own."""
    for file in files:
        for part in pq.ParquetFile(file).iter_batches(BATCH, columns=["jpg", "txt"]):
            yield prepared([(row["jpg"], row["txt"]) for row in part.to_pylist()], decode)


def write_others(index: Index, folder: Path) -> tuple[list[str], list[Path]]:
    rows = [np.arange(i, min(i + SHARD_ROWS, len(index))) for i in range(0, len(index), SHARD_ROWS)]
    tars, files = [], []
    for number, (part, found) in enumerate(zip(rows, RowReader(index, WANTED.columns()).read(rows), strict=True)):
        tar, file = folder / f"{number:05d}.tar", folder / f"{number:05d}.parquet"
        with tarfile.open(tar, "w") as archive:
            for row, content in zip(part.tolist(), found, strict=True):
                for ending, data in (("jpg", content["aerial"]["bytes"]), ("txt", content["description"].encode())):
                    entry = tarfile.TarInfo(f"{row:09d}.{ending}")
                    entry.size = len(data)
                    archive.addfile(entry, io.BytesIO(data))
        columns = {"jpg": [c["aerial"]["bytes"] for c in found], "txt": [c["description"] for c in found]}
        pq.write_table(pa.table(columns), file)
        tars.append(str(tar))
        files.append(file)
    return tars, files


def cpu_of(readers: dict[str, Callable[[], Iterator[int]]]) -> dict[str, float]:
    """CPU milliseconds a sample of each reader, the least of some rounds."""
    least = dict.fromkeys(readers, float("inf"))
    for _ in range(ROUNDS):
        for name, read in readers.items():
            started = time.process_time()
            count = sum(read())
            least[name] = min(least[name], (time.process_time() - started) / count * 1e3)
    return least


def main(dataset: str, split: str) -> None:
    index = read_index([dataset], Selection(splits=(split,)))
    print(f"{len(index):,} samples, chips of {index.side_m['aerial'][0]:g} m")
    with tempfile.TemporaryDirectory() as folder:
        tars, files = write_others(index, Path(folder))
        for decode in (True, False):
            print("decoded to 224 px, with tokens:" if decode else "read alone:")
            readers: dict[str, Callable[[], Iterator[Any]]] = {
                "geoscribe": lambda decode=decode: ours(index, decode),  # type: ignore[misc]  # a default in a lambda
                "webdataset": lambda decode=decode: by_webdataset(tars, decode),  # type: ignore[misc]
                "img2dataset's parquet": lambda decode=decode: by_parquet(files, decode),  # type: ignore[misc]
            }
            if decode:
                readers["webdataset's own decoder"] = lambda: by_webdataset_alone(tars)
            measured = cpu_of(readers)
            for name, cpu in measured.items():
                print(f"  {name:24} {cpu:.3f} ms CPU a sample; ours is {measured['geoscribe'] / cpu:.2f} of it")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "train")
