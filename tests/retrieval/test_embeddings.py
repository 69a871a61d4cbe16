"""Files of embeddings: what comes back, and what is refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.errors import ConfigError
from tools.retrieval.embeddings import embeddings, read_embeddings, write_embeddings

VECTORS = np.array([[3, 4], [0, -2]], np.float32)


def test_npz_and_parquet_come_back_at_length_1(tmp_path: Path) -> None:
    found = embeddings(["a", "b"], VECTORS, "test")
    assert found.vectors.tolist() == [[pytest.approx(0.6), pytest.approx(0.8)], [0, -1]]
    write_embeddings(tmp_path / "x.npz", found)
    table = pa.table({"id": ["a", "b"], "vector": [[3.0, 4.0], [0.0, -2.0]]})
    pq.write_table(table, tmp_path / "x.parquet")
    for name in ("x.npz", "x.parquet"):
        again = read_embeddings(tmp_path / name)
        assert again.ids == ["a", "b"]
        assert np.allclose(again.vectors, found.vectors)
    assert read_embeddings(tmp_path / "x.npz").rows_of(["b", "a"], "test")[0].tolist() == [0, -1]


@pytest.mark.parametrize(
    ("ids", "vectors", "said"),
    [
        (["a", "b"], [[1, np.nan], [1, 1]], "1 vectors with NaN or infinity, the first of a"),
        (["a", "b"], [[1, 1], [np.inf, 1]], "the first of b"),
        (["a", "b"], [[1, 1], [0, 0]], "1 vectors of length 0, the first of b"),
        (["a", "a"], [[1, 1], [1, 0]], "1 ids that stand twice"),
        (["a"], [[1, 1], [1, 0]], "shape \\(2, 2\\) for 1 ids"),
    ],
)
def test_bad_vectors_are_named(ids: list[str], vectors: list[list[float]], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        embeddings(ids, np.array(vectors, np.float32), "test")


def test_bad_files_are_named(tmp_path: Path) -> None:
    (tmp_path / "empty.npz").write_bytes(b"")
    (tmp_path / "text.parquet").write_text("no parquet")
    (tmp_path / "x.csv").write_text("id,vector")
    np.savez(tmp_path / "other.npz", names=np.array(["a"]))
    np.savez(tmp_path / "pickled.npz", ids=np.array([object()]), vectors=VECTORS)
    pq.write_table(pa.table({"id": ["a"], "score": [1.0]}), tmp_path / "foreign.parquet")
    pq.write_table(pa.table({"id": ["a", "b"], "vector": [[1.0], [1.0, 2.0]]}), tmp_path / "ragged.parquet")
    pq.write_table(
        pa.table({"id": ["a"], "vector": pa.array([None], pa.list_(pa.float32()))}), tmp_path / "null.parquet"
    )
    for path in [*tmp_path.iterdir(), tmp_path / "absent.npz"]:
        with pytest.raises(ConfigError, match=path.name):
            read_embeddings(path)
