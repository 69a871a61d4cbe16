"""Vectors keyed by sample id, in memory or in a file. They are never matched by position."""

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.errors import ConfigError, Problem

Floats32 = NDArray[np.float32]


@dataclass(frozen=True)
class Embeddings:
    """Unit vectors (n x d) and their sample ids. Made by `embeddings`."""

    ids: list[str]
    vectors: Floats32

    def __len__(self) -> int:
        return len(self.ids)

    def rows_of(self, ids: Sequence[str], where: str) -> Floats32:
        """Look up vectors by id, in the order given.

        Raises:
            ConfigError: ids that have none.
        """
        place = {sample_id: row for row, sample_id in enumerate(self.ids)}
        absent = [sample_id for sample_id in ids if sample_id not in place]
        if absent:
            shown = ", ".join(absent[:3]) + (", ..." if len(absent) > 3 else "")
            found = f"no vector for {len(absent)} of {len(ids)} samples ({shown})"
            raise ConfigError([Problem(where, found, "one vector for every sample that is evaluated")])
        return self.vectors[[place[sample_id] for sample_id in ids]]


def embeddings(ids: Sequence[str], vectors: NDArray[np.floating], where: str) -> Embeddings:
    """Check vectors and scale them to unit length.

    Args:
        ids: sample ids, each once.
        vectors: len(ids) x d, finite, none of them zero.
        where: what they are, for messages.

    Raises:
        ConfigError: any of that is not so.
    """
    problems = []
    if vectors.ndim != 2 or len(vectors) != len(ids):
        found = f"an array of shape {vectors.shape} for {len(ids)} ids"
        raise ConfigError([Problem(where, found, "one row of numbers for each id")])
    twice = len(ids) - len(set(ids))
    if twice:
        problems.append(Problem(where, f"{twice} ids that stand twice", "each id once"))
    bad = np.flatnonzero(~np.isfinite(vectors).all(axis=1))
    if len(bad):
        found = f"{len(bad)} vectors with NaN or infinity, the first of {ids[bad[0]]}"
        problems.append(Problem(where, found, "finite numbers"))
    lengths = np.linalg.norm(vectors.astype(np.float32), axis=1)
    zero = np.flatnonzero(lengths == 0)
    if len(zero):
        found = f"{len(zero)} vectors of length 0, the first of {ids[zero[0]]}"
        problems.append(Problem(where, found, "vectors with a direction"))
    if problems:
        raise ConfigError(problems)
    return Embeddings(list(ids), np.ascontiguousarray(vectors.astype(np.float32) / lengths[:, None]))


def same_width(queries: Embeddings, gallery: Embeddings) -> None:
    """Check that queries and gallery have vectors of the same width.

    Raises:
        ConfigError: their widths differ.
    """
    if queries.vectors.shape[1] != gallery.vectors.shape[1]:
        found = f"vectors of {gallery.vectors.shape[1]} numbers beside queries of {queries.vectors.shape[1]}"
        raise ConfigError([Problem("gallery", found, "embeddings of the same model, so of one width")])


def read_embeddings(path: Path) -> Embeddings:
    """Read `.npz` with the arrays `ids` and `vectors`, or `.parquet` with the columns `id` and `vector`.

    Raises:
        ConfigError: the file is absent, damaged, or holds something else.
    """
    allowed = ".npz with the arrays ids and vectors, or .parquet with the columns id and vector"
    try:
        if path.suffix == ".npz":
            with np.load(path, allow_pickle=False) as file:
                ids, vectors = [str(sample_id) for sample_id in file["ids"]], np.asarray(file["vectors"], np.float32)
        elif path.suffix == ".parquet":
            table = pq.read_table(path, columns=["id", "vector"])
            ids, vectors = table["id"].to_pylist(), _matrix(table["vector"])
        else:
            raise ConfigError([Problem(str(path), f"a file {path.suffix or 'without ending'}", allowed)])
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile, pa.ArrowException) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ConfigError([Problem(str(path), said, allowed)]) from error
    return embeddings(ids, vectors, str(path))


def write_embeddings(path: Path, found: Embeddings) -> None:
    """Write `.npz` as `read_embeddings` takes it."""
    with path.open("wb") as file:
        np.savez(file, ids=np.array(found.ids, dtype=np.str_), vectors=found.vectors)


def _matrix(column: pa.ChunkedArray) -> Floats32:
    whole = column.combine_chunks()
    widths = pc.unique(pc.list_value_length(whole)).to_pylist()
    if len(widths) != 1 or widths[0] is None:
        raise ValueError(f"vectors of the widths {widths}")
    values = np.asarray(whole.flatten().to_numpy(zero_copy_only=False), np.float32)
    return values.reshape(len(whole), widths[0])
