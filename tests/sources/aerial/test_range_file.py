"""Reading a file in ranges: what is read is what is there, each block is asked for once, and lies are found out."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Response as ServedResponse

from pipeline.errors import SiteError
from pipeline.net.base import Provider, Request, Response, Session
from pipeline.sources.range_file import BLOCK, RangeFile
from schemas.reasons import Reason
from tests.examples import examples
from tests.sources.aerial.range_serving import Served, client, ranged, serve

Spoil = Callable[[int, int, bytes], ServedResponse]
DATA = bytes(i * 2654435761 >> 24 & 255 for i in range(5 * BLOCK + 1234))


class Memory:
    """A session with one file, where the network is not what is tested."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.asked: list[Request] = []

    def fetch(self, request: Request) -> Response:
        assert request.first is not None
        assert request.length is not None
        self.asked.append(request)
        part = self.data[request.first : request.first + request.length]
        told = f"bytes {request.first}-{request.first + len(part) - 1}/{len(self.data)}"
        return Response(part, 206, "", {"content-range": told})

    def fetch_many(self, requests: Sequence[Request]) -> list[Response | Exception]:
        return [self.fetch(request) for request in requests]

    def allow(self, origin: str) -> None: ...


@given(
    st.lists(st.tuples(st.integers(0, len(DATA) + 99), st.integers(0, 3 * BLOCK)), max_size=6),
    st.integers(1, 9),
)
@examples(60)
def test_any_ranges_are_what_the_file_holds(ranges: list[tuple[int, int]], kept: int) -> None:
    file = RangeFile(Memory(DATA), "https://example.org/a.tif", kept)
    for _ in range(2):
        assert file.read_many(ranges) == [DATA[first : first + length] for first, length in ranges]
    assert file.size() == len(DATA)


def test_neighbouring_blocks_come_in_one_request_and_once() -> None:
    memory = Memory(DATA)
    file = RangeFile(memory, "https://example.org/a.tif")
    file.read(0, 10)
    file.read(BLOCK + 5, 3 * BLOCK)
    file.read_many([(0, 5 * BLOCK), (2 * BLOCK, 7)])
    assert [(request.first, request.length) for request in memory.asked] == [(0, BLOCK), (BLOCK, 4 * BLOCK)]


def test_threads_share_what_one_of_them_fetches() -> None:
    memory = Memory(DATA)
    file = RangeFile(memory, "https://example.org/a.tif")
    barrier = threading.Barrier(8)

    def read(_: int) -> bytes:
        barrier.wait()
        return file.read(BLOCK, 2 * BLOCK)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(read, range(8))) == {DATA[BLOCK : 3 * BLOCK]}
    assert sum(request.length or 0 for request in memory.asked) <= 3 * BLOCK


def test_a_failure_is_told_to_all_who_wait_and_the_next_try_starts_anew() -> None:
    class Failing(Memory):
        def fetch_many(self, requests: Sequence[Request]) -> list[Response | Exception]:
            if len(self.asked) < 1:
                self.asked.append(requests[0])
                return [SiteError(Reason.UNREACHABLE, "gone to lunch") for _ in requests]
            return super().fetch_many(requests)

    file = RangeFile(Failing(DATA), "https://example.org/a.tif")
    with pytest.raises(SiteError) as caught:
        file.read(0, 10)
    assert caught.value.reason is Reason.UNREACHABLE
    assert file.read(0, 10) == DATA[:10]


@pytest.fixture
def served(httpserver: HTTPServer) -> Served:
    return serve(httpserver)


@pytest.fixture
def session(served: Served, tmp_path: Path) -> Session:
    return client(tmp_path).session(Provider("files", (f"http://{served.host}",), 1_000, 8))


def test_over_the_network(served: Served, session: Session) -> None:
    file = RangeFile(session, served.add("/files/a.tif", DATA))
    assert file.read(BLOCK - 3, 7) == DATA[BLOCK - 3 : BLOCK + 4]
    assert file.size() == len(DATA)
    assert file.read(len(DATA) - 5, 99) == DATA[-5:]
    assert all(wanted is not None for _, wanted in served.asked)


@pytest.mark.parametrize(
    "spoilt",
    [
        pytest.param(lambda _first, _last, body: ServedResponse(body, 200), id="range ignored"),
        pytest.param(
            lambda first, last, body: ranged(body[first + 7 : last + 1], first + 7, len(body)), id="elsewhere"
        ),
        pytest.param(lambda first, _last, body: ranged(body[first : first + 99], first, len(body)), id="too short"),
        pytest.param(lambda first, last, body: ServedResponse(body[first : last + 1], 206), id="no Content-Range"),
        pytest.param(
            lambda first, last, body: ServedResponse(
                body[first:last], 206, {"Content-Range": f"bytes {first}-{last}/*"}
            ),
            id="less than told",
        ),
    ],
)
def test_an_answer_that_is_not_the_range_is_refused(served: Served, session: Session, spoilt: Spoil) -> None:
    served.spoil = spoilt
    file = RangeFile(session, served.add("/files/a.tif", DATA))
    with pytest.raises(SiteError) as caught:
        file.read(0, 10)
    assert caught.value.reason in {Reason.BAD_ANSWER, Reason.ANSWER_TOO_LARGE}


def test_a_file_that_changes_while_it_is_read_is_not_mixed_with_its_old_self(served: Served, session: Session) -> None:
    file = RangeFile(session, served.add("/files/a.tif", DATA))
    file.read(0, 10)
    served.files["/files/a.tif"] = DATA[::-1]
    served.etags["/files/a.tif"] = '"2"'
    with pytest.raises(SiteError, match="changed while it was read"):
        file.read(2 * BLOCK, 10)


def test_no_message_holds_the_query_which_may_be_a_signature(served: Served, session: Session) -> None:
    file = RangeFile(session, served.url("/files/none.tif") + "?sig=secret")
    with pytest.raises(SiteError) as caught:
        file.read(0, 10)
    assert caught.value.reason is Reason.GONE
    assert "secret" not in caught.value.detail
