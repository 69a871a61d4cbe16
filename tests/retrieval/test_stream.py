"""The loader: what is in a batch, where it goes on, several workers, several processes."""

import itertools
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pyarrow.parquet as pq
import pytest
from moto.server import ThreadedMotoServer

from pipeline.errors import ConfigError, MachineError
from schemas.records import Sample
from tests.retrieval.conftest import field_sample
from tests.tools.conftest import publish

torch = pytest.importorskip("torch", reason="the extra retrieval is not installed: make test-models")

from tools.retrieval.data import batches  # noqa: E402
from tools.retrieval.data.batches import Input  # noqa: E402
from tools.retrieval.data.index import Index, read_index  # noqa: E402
from tools.retrieval.data.order import Mixing  # noqa: E402
from tools.retrieval.data.pictures import Pixels, picture  # noqa: E402
from tools.retrieval.data.select import Selection  # noqa: E402
from tools.retrieval.data.stream import Loader, Plan, Position  # noqa: E402

pytestmark = pytest.mark.models


def letters(texts: list[str]) -> np.ndarray:
    """Stands for a tokenizer: the first 16 characters."""
    return np.array([[ord(c) for c in text[:16].ljust(16)] for text in texts], np.int64)


WANTED = Input("description", ("aerial", "street"), 24, heading_up=True, signatures=True, tokens=letters)


@pytest.fixture(scope="module")
def index(fields_dataset: str) -> Index:
    return read_index([fields_dataset], Selection(), heading_up=True)


def plan(index: Index, lanes: int = 1, batch: int = 8) -> Plan:
    return Plan(index, Mixing(batch, window=5, lanes=lanes, seed=3))


def rows(loader: Loader, count: int) -> list[list[int]]:
    return [batch["row"].tolist() for batch in itertools.islice(loader, count)]


def test_a_batch_is_what_stands_in_the_shards(index: Index, fields_dataset: str) -> None:
    batch = next(Loader(plan(index), WANTED, Position()))
    assert batch["aerial"].dtype == torch.uint8
    assert batch["aerial"].shape == batch["street"].shape == (8, 3, 24, 24)
    for i, row in enumerate(batch["row"].tolist()):
        group = index.groups[index.group[row]]
        file = pq.ParquetFile(Path(fields_dataset) / group.shard.path)
        found: dict[str, Any] = file.read_row_group(group.number).to_pylist()[index.place[row]]
        assert found["sample_id"] == index.ids[row]
        heading = found["street_view"]["heading_deg"]
        assert np.array_equal(batch["aerial"][i].numpy(), picture(found["aerial"]["bytes"], 24, heading))
        assert np.array_equal(batch["street"][i].numpy(), picture(found["street"]["bytes"], 24))
        assert batch["text"][i].tolist() == letters([found["description"]])[0].tolist()
        assert batch["colour"][i].numpy() == pytest.approx(found["aerial_signatures"]["colour"])
        assert batch["orientation"][i].sum() == pytest.approx(1, abs=1e-4)
    assert batch["has_aerial"].all()


def test_it_goes_on_where_another_stood(index: Index) -> None:
    whole = rows(Loader(plan(index), WANTED, Position()), 45)
    first = Loader(plan(index), WANTED, Position())
    for taken in (0, 1, 7, 19, 20, 21, 33):
        while first.position.epoch * 20 + first.position.batch < taken:
            next(first)
        assert rows(Loader(plan(index), WANTED, first.position), 12) == whole[taken : taken + 12]
    assert len({tuple(sorted(itertools.chain(*whole[i : i + 20]))) for i in (0, 20)}) == 1  # 160 rows, 20 batches
    assert whole[:20] != whole[20:40]


@pytest.mark.slow
def test_workers_give_the_same_and_go_on(index: Index) -> None:
    two = plan(index, lanes=2)
    whole = rows(Loader(two, WANTED, Position(), workers=2), 30)
    lanes = [two.epoch(epoch) for epoch in (0, 1, 2)]
    per_epoch = 2 * len(lanes[0][0])
    assert whole[:per_epoch] == [lanes[0][i % 2][i // 2].tolist() for i in range(per_epoch)]
    loader = Loader(two, WANTED, Position(), workers=2)
    for _ in range(5):
        next(loader)
    assert loader.position == Position(epoch=0, batch=5)
    assert rows(Loader(two, WANTED, loader.position, workers=2), 20) == whole[5:25]


def test_processes_share_an_epoch(index: Index) -> None:
    two = plan(index, lanes=2)
    loaders = [Loader(two, WANTED, Position(), rank=rank, world=2) for rank in (0, 1)]
    taken = [set(itertools.chain(*rows(loader, loader.epoch_length))) for loader in loaders]
    assert not taken[0] & taken[1]
    assert len(taken[0]) == len(taken[1]) >= 64
    assert loaders[0].position == Position(epoch=1)


def test_other_rows_or_another_batch_are_another_plan(index: Index) -> None:
    assert plan(index).digest() == plan(index).digest()
    assert len({plan(index).digest(), plan(index, batch=4).digest(), plan(index.take(np.arange(80))).digest()}) == 3
    with pytest.raises(ConfigError, match=r"train\.batch.*200 rows for each of 1 lanes, of 160 rows"):
        Loader(plan(index, batch=200), WANTED, Position())


def test_a_plan_passes_to_another_process(index: Index) -> None:
    assert pickle.loads(pickle.dumps(plan(index))).digest() == plan(index).digest()


def test_a_shard_that_is_damaged_while_it_is_read_is_named(tmp_path: Path, make_sample: Callable[..., Sample]) -> None:
    where = publish(tmp_path / "d", [field_sample(make_sample, i) for i in range(12)])
    damaged = read_index([where], Selection(), heading_up=True)
    (shard,) = (tmp_path / "d" / "data").rglob("*.parquet")
    metadata = pq.ParquetFile(shard).metadata
    names = [metadata.schema.column(i).path for i in range(metadata.num_columns)]
    column = metadata.row_group(2).column(names.index("aerial.bytes"))
    data = bytearray(shard.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    data[start + column.total_compressed_size // 2] ^= 0x40
    shard.write_bytes(bytes(data))
    with pytest.raises(MachineError, match=rf"{shard.name}.*geoscribe verify"):
        rows(Loader(plan(damaged, batch=4), WANTED, Position()), 3)
    shard.unlink()
    with pytest.raises(MachineError, match=rf"{shard.name}"):
        rows(Loader(plan(damaged, batch=4), WANTED, Position()), 3)


def test_what_was_made_once_is_kept(index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = [batch["aerial"] for batch in itertools.islice(Loader(plan(index), WANTED, Position()), 25)]
    decoded = []

    def counted(data: bytes, size_px: int, turn_deg: float | None) -> Pixels:
        decoded.append(data)
        return picture(data, size_px, turn_deg)

    monkeypatch.setattr(batches, "picture", counted)
    kept = Loader(plan(index), WANTED, Position(), keep=True)
    for wanted in plain:
        assert torch.equal(next(kept)["aerial"], wanted)
    assert len(decoded) == 2 * 160


def test_batches_come_from_a_bucket(fields_dataset: str, index: Index) -> None:
    """The same batches as from disk, over a local S3 server."""
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("AWS_ENDPOINT_URL", f"http://{host.replace('0.0.0.0', '127.0.0.1')}:{port}")
            for name, value in (("ACCESS_KEY_ID", "test"), ("SECRET_ACCESS_KEY", "test"), ("REGION", "us-east-1")):
                patch.setenv(f"AWS_{name}", value)
            client = boto3.client("s3")
            client.create_bucket(Bucket="fields")
            for path in Path(fields_dataset).rglob("*"):
                if path.is_file():
                    client.upload_file(str(path), "fields", str(path.relative_to(fields_dataset)))
            bucket = read_index(["s3://fields"], Selection(), heading_up=True)
            assert bucket.ids.tolist() == index.ids.tolist()
            near, far = (Loader(plan(one), WANTED, Position(batch=3)) for one in (index, bucket))
            for _ in range(4):
                wanted, found = next(near), next(far)
                assert wanted.keys() == found.keys()
                assert all(torch.equal(wanted[name], found[name]) for name in wanted)
    finally:
        server.stop()
