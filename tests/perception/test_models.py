"""Named models: the listing, the folder that they are kept in, and how they get there."""

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from pipeline.config.network import Network
from pipeline.errors import ConfigError, MachineError
from pipeline.net.client import HttpClient
from pipeline.perception.models import download as downloading
from pipeline.perception.models import listing as listed
from pipeline.perception.models import store
from pipeline.perception.models.download import download, take
from pipeline.perception.models.listing import NamedModel, listing, parse
from pipeline.perception.models.store import FOLDER_VARIABLE, LOCK, models_folder, resolve, stored

CONTENT = bytes(range(256)) * 100
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "models"))
    return tmp_path / "models"


@pytest.fixture
def client(tmp_path: Path) -> Iterator[HttpClient]:
    made = HttpClient(
        Network(
            allow_loopback=True, cache=str(tmp_path / "cache"), cache_gb=0, tries=2, max_wait_s=0.1,
            total_timeout_s=5,
        )
    )  # fmt: skip
    yield made
    made.close()


def model(url: str = "https://example.org/m.onnx", **file: Any) -> NamedModel:
    return NamedModel.model_validate(
        {
            "engine": "detector", "about": "a", "source": "https://example.org", "licence": "MIT", "trained_on": "t",
            "files": [{"url": url, "max_bytes": 100_000, **file}],
            "spec": {"classes": "coco"},
        }
    )  # fmt: skip


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[[NamedModel], NamedModel]:
    """Puts a model into the listing under the name `tiny`."""

    def put(made: NamedModel) -> NamedModel:
        monkeypatch.setattr(store, "listing", lambda: {"tiny": made})
        return made

    return put


def served(content: bytes) -> Callable[[Request], Response]:
    """A server of files that answers ranges as RFC 9110 says."""

    def answer(request: Request) -> Response:
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers["Range"])
        assert wanted
        first, last = int(wanted[1]), min(int(wanted[2]), len(content) - 1)
        response = Response(content[first : last + 1], 206, content_type="application/octet-stream")
        response.headers["Content-Range"] = f"bytes {first}-{last}/{len(content)}"
        return response

    return answer


def test_the_listing_is_whole() -> None:
    assert {"deeplab-ade20k", "yolox-nano", "grounding-dino-tiny", "sam-vit-b"} <= set(listing())
    for name, entry in listing().items():
        assert all(entry.address(file).startswith("https://") for file in entry.files), name
        assert len({file.name for file in entry.files}) == len(entry.files), name
        assert (entry.spec is None) == (entry.engine in ("grounded", "sam")), name
    dino = listing()["grounding-dino-tiny"]
    assert dino.address(dino.files[0]) == (
        "https://huggingface.co/IDEA-Research/grounding-dino-tiny/resolve/a2bb814dd30d776dcf7e30523b00659f4f141c71/config.json"
    )


def test_the_weights_that_tests_use_are_those_of_the_listing(corpus: Path) -> None:
    for name, file in (("deeplab-ade20k", "ade20k_mnv2_513.tflite"), ("yolox-nano", "yolox_nano_416.onnx")):
        assert store.sha256_of(corpus / "weights" / file) == listing()[name].files[0].sha256


@pytest.mark.parametrize(
    "change",
    [
        {"hub": "a/b"}, {"source": None}, {"hub": "a/b", "source": None}, {"files": []}, {"engine": "grounded"},
        {"files": [{"path": "m.onnx", "max_bytes": 1}]}, {"files": [{"url": "https://x/m", "max_bytes": 0}]},
        {"files": [{"url": "https://x/m", "max_bytes": 1, "sha256": "abc"}]}, {"licence": None}, {"spec": None},
    ],
)  # fmt: skip
def test_an_entry_that_is_not_whole_is_refused(change: dict[str, Any]) -> None:
    entry = model().model_dump(mode="json", exclude_defaults=True) | change
    with pytest.raises(ValidationError):
        parse(yaml.safe_dump({"tiny": entry}))


def test_the_folder_is_the_user_s_or_the_one_given(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert models_folder() == folder
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert models_folder().name == "models"
    assert "geoscribe" in str(models_folder())


def test_a_model_that_is_not_there_says_what_to_fetch_from_where_and_where_to_put_it(
    folder: Path, named: Callable[[NamedModel], NamedModel]
) -> None:
    named(model(sha256=SHA256))
    with pytest.raises(MachineError) as caught:
        resolve("tiny", ("detector",), "x.model")
    said = str(caught.value)
    assert "geoscribe models get tiny" in said
    assert f"https://example.org/m.onnx to {folder / 'tiny' / 'm.onnx'} (SHA-256 {SHA256})" in said


def test_a_name_that_is_not_listed_or_is_for_another_engine_is_a_fault_of_the_configuration() -> None:
    known = "deeplab-ade20k, deeplab-cityscapes, segformer-b0-ade20k"
    for name in ("nothing", "sam-vit-b"):
        with pytest.raises(ConfigError, match=rf"x\.model.*{known}; or a path"):
            resolve(name, ("semantic",), "x.model")
    with pytest.raises(ConfigError, match="no file"):
        resolve(Path("nowhere.onnx"), ("semantic",), "x.model")


def put(folder: Path, content: bytes = CONTENT) -> Path:
    (folder / "tiny").mkdir(parents=True, exist_ok=True)
    (folder / "tiny" / "m.onnx").write_bytes(content)
    return folder / "tiny"


def test_a_file_put_there_by_hand_is_checked(folder: Path, named: Callable[[NamedModel], NamedModel]) -> None:
    made = named(model(sha256=SHA256))
    put(folder)
    found = stored("tiny", made)
    assert (found.sha256, found.mark, found.files) == (SHA256, f"tiny {SHA256[:12]}", (folder / "tiny" / "m.onnx",))
    put(folder, CONTENT[1:])
    with pytest.raises(MachineError, match=f"{SHA256} is wanted: remove it"):
        stored("tiny", made)


def test_what_the_publisher_does_not_state_is_fixed_at_first_use(
    folder: Path, named: Callable[[NamedModel], NamedModel]
) -> None:
    made = named(model())
    put(folder)
    assert stored("tiny", made).sha256 == SHA256
    assert yaml.safe_load((folder / "tiny" / LOCK).read_text()) == {"m.onnx": SHA256}
    assert stored("tiny", made).sha256 == SHA256
    put(folder, b"another file under the same name")
    with pytest.raises(MachineError, match=f"{SHA256} is wanted"):
        stored("tiny", made)


@pytest.mark.parametrize("text", ["{", "[]", '{"m.onnx": 7}'])
def test_a_damaged_lock_is_named(folder: Path, named: Callable[[NamedModel], NamedModel], text: str) -> None:
    made = named(model())
    (put(folder) / LOCK).write_text(text)
    with pytest.raises(MachineError, match=r"lock\.json"):
        stored("tiny", made)


def test_several_files_have_the_digest_that_sha256sum_s_lines_have(folder: Path) -> None:
    made = model().model_copy(
        update={"files": [listed.ModelFile(url=f"https://example.org/{name}", max_bytes=9) for name in ("b", "a")]}
    )
    for name in ("a", "b"):
        (put(folder) / name).write_text(name)
    lines = "".join(f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("a", "b"))
    assert stored("tiny", made).sha256 == hashlib.sha256(lines.encode()).hexdigest()


def test_what_a_card_says_of_a_model(tmp_path: Path, folder: Path) -> None:
    put(folder)
    credit = stored("tiny", model(sha256=SHA256)).credit()
    assert credit == {
        "name": "tiny", "sha256": SHA256, "licence": "MIT", "trained_on": "t", "source": "https://example.org",
    }  # fmt: skip
    own = tmp_path / "own.onnx"
    own.write_bytes(CONTENT)
    assert resolve(own, ("detector",), "x").credit()["licence"] == "not stated"
    assert resolve(own, ("detector",), "x").mark == f"own {SHA256[:12]}"


def test_a_model_is_downloaded_in_pieces_and_checked(
    httpserver: HTTPServer, client: HttpClient, folder: Path, monkeypatch: pytest.MonkeyPatch,
    named: Callable[[NamedModel], NamedModel],
) -> None:  # fmt: skip
    monkeypatch.setattr(downloading, "PIECE_BYTES", 10_000)
    httpserver.expect_request("/files/m.onnx").respond_with_handler(served(CONTENT))
    made = named(model(httpserver.url_for("/files/m.onnx"), sha256=SHA256))
    told: list[tuple[str, int, int]] = []
    found = download("tiny", made, client, lambda *what: told.append(what))
    assert found.files[0].read_bytes() == CONTENT
    assert told == [("m.onnx", 10_000, 25_600), ("m.onnx", 20_000, 25_600), ("m.onnx", 25_600, 25_600)]
    assert [path.name for path in (folder / "tiny").iterdir()] == ["m.onnx"]
    asked = len(httpserver.log)
    download("tiny", made, client, lambda *_: None)
    assert len(httpserver.log) == asked  # what is there is not asked for again


def faults(server: HTTPServer) -> dict[str, tuple[NamedModel, str]]:
    """Models whose servers are at fault, and what is said of them."""
    url = server.url_for("/files/m.onnx")
    server.expect_request("/files/m.onnx").respond_with_handler(served(CONTENT))
    server.expect_request("/gone/m.onnx").respond_with_data("no", status=404)
    server.expect_request("/whole/m.onnx").respond_with_data(CONTENT)
    server.expect_request("/html/m.onnx").respond_with_data("<html>log in</html>", content_type="text/html")
    elsewhere = {"Location": "https://example.org/m.onnx"}
    server.expect_request("/away/m.onnx").respond_with_data(status=302, headers=elsewhere)
    return {
        "another file": (model(url, sha256="0" * 64), "wanted; nothing was kept"),
        "larger than it may be": (model(url, max_bytes=25_599), "it is another file"),
        "gone": (model(server.url_for("/gone/m.onnx")), "download on another machine"),
        "not in ranges": (model(server.url_for("/whole/m.onnx")), "the whole file instead of the requested range"),
        "a page": (model(server.url_for("/html/m.onnx")), "could not be had"),
        "sent elsewhere": (model(server.url_for("/away/m.onnx")), "not an address of this source"),
    }


@pytest.mark.parametrize(
    "fault", ["another file", "larger than it may be", "gone", "not in ranges", "a page", "sent elsewhere"]
)
def test_nothing_is_kept_of_a_download_that_went_wrong(
    httpserver: HTTPServer, client: HttpClient, folder: Path, named: Callable[[NamedModel], NamedModel], fault: str
) -> None:
    made, said = faults(httpserver)[fault]
    named(made)
    with pytest.raises(MachineError, match=said):
        download("tiny", made, client, lambda *_: None)
    assert list((folder / "tiny").iterdir()) == []


def test_plain_http_is_not_asked(client: HttpClient, named: Callable[[NamedModel], NamedModel]) -> None:
    made = named(model("http://example.org/m.onnx"))
    with pytest.raises(ConfigError, match="https"):
        download("tiny", made, client, lambda *_: None)


def test_files_at_hand_are_taken_and_checked(
    tmp_path: Path, folder: Path, named: Callable[[NamedModel], NamedModel]
) -> None:
    made = named(model(sha256=SHA256))
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(MachineError, match="no file"):
        take("tiny", made, there)
    (there / "m.onnx").write_bytes(CONTENT[1:])
    with pytest.raises(MachineError, match="nothing was kept"):
        take("tiny", made, there)
    assert list((folder / "tiny").iterdir()) == []
    (there / "m.onnx").write_bytes(CONTENT)
    assert take("tiny", made, there).sha256 == SHA256
    (there / "m.onnx").rename(there / "renamed")
    assert take("tiny", made, there / "renamed").files == (folder / "tiny" / "m.onnx",)
