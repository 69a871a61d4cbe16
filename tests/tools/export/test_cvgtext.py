"""The export for CVG-Text's code: each trap, both layouts, and figures of a definition of their protocol."""

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import PIL.Image
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipeline.captioning.tokens import count_clip_tokens
from pipeline.errors import ConfigError
from schemas.records import Sample
from tests.retrieval import theirs
from tests.tools.export.conftest import Exported
from tools.export.cvgtext_names import coordinate, panorama_name, photo_name, version_of

Texts = dict[str, str]
SIZES = {"satellite": (256, 256), "OSM": (256, 256), "ground": (320, 240)}


def texts(folder: Path, version: str, split: str) -> Texts:
    found: Texts = json.loads((folder / f"CVG-text/{version}/{split}.json").read_text(encoding="utf-8"))
    return found


def test_versions_are_regions_panoramas_apart_from_single_views(
    exported: Exported, folder: Path, varied: list[Sample]
) -> None:
    target = exported("cvgtext")
    assert dict(target.reasons) == {"no satellite chip": 1}
    versions = {path.name for path in (folder / "CVG-text").iterdir()}
    assert versions == {"OldTown", "OldTown-photos", "Village2x", "Village2x-photos"}
    names: list[str] = []
    for version in versions:
        for split in ("train", "test"):
            found = texts(folder, version, split)
            names += found
            for name, text in found.items():
                assert isinstance(text, str)
                assert (name.count("_") >= 2) == (not version.endswith("-photos")) == ("_d0_z0.png" in name)
                for modality, size in SIZES.items():
                    with PIL.Image.open(folder / f"{version}-{modality}" / name) as picture:
                        assert (picture.size, picture.format) == (size, "PNG")
    assert len(names) == len(set(names)) == target.taken == len(varied) - 1
    assert not list(folder.rglob("*-mixed*"))
    ids = [re.search(r"(old-town|village-2)-\d+", name) for name in names]
    assert {match[0] for match in ids if match} == {s.sample_id for s in varied} - {varied[4].sample_id}


def test_rows_keep_their_order_and_their_place(exported: Exported, folder: Path, varied: list[Sample]) -> None:
    exported("cvgtext")
    found = texts(folder, "OldTown-photos", "test")
    wanted = [s for s in varied if (s.region, s.split, s.panorama) == ("old-town", "test", None)]
    assert list(found.values()) == [sample.description for sample in wanted]
    for name, sample in zip(found, wanted, strict=True):
        assert theirs.place(name) == pytest.approx((sample.lat, sample.lon), abs=1e-8)


def test_the_release_layout(exported: Exported, folder: Path) -> None:
    exported("cvgtext", layout="release")
    found: Texts = json.loads((folder / "annotation/OldTown/train.json").read_text())
    for name in found:
        for path in ("reference/OldTown-satellite", "reference/OldTown-OSM", "data/query/OldTown-ground"):
            assert (folder / path / name).is_file()
    assert not (folder / "config.yaml").exists()


def test_their_config_names_what_is_there(exported: Exported, folder: Path) -> None:
    exported("cvgtext")
    paths = yaml.safe_load((folder / "config.yaml").read_text())["paths"]
    assert paths.keys() == {
        "osm_root_dir", "stv_root_dir", "sat_root_dir", "photo_root_dir", "trainset_path", "testset_path",
        "checkpoint_dir", "result_dir", "case_dir", "log_dir", "categories_path",
    }  # fmt: skip
    for key in ("osm_root_dir", "stv_root_dir", "sat_root_dir", "trainset_path", "testset_path"):
        assert (folder / paths[key].format(version="OldTown")).exists(), key
    assert (folder / paths["checkpoint_dir"]).is_dir()
    assert "_" not in "".join(paths[key] for key in ("osm_root_dir", "stv_root_dir", "sat_root_dir"))


def test_one_kind_of_chip_may_do(exported: Exported, folder: Path, varied: list[Sample]) -> None:
    target = exported("cvgtext", chips=["OSM"])
    assert target.taken == len(varied)
    assert not list(folder.glob("*-satellite"))


@pytest.mark.parametrize("name", ["with_underscore", "town-mixed"])
def test_a_path_that_their_code_misreads_is_refused(exported: Exported, folder: Path, name: str, dataset: str) -> None:
    from tools.dataset import open_dataset
    from tools.export.base import export
    from tools.export.settings import format_of

    with pytest.raises(ConfigError, match="tells panoramas by the one"):
        export(open_dataset(dataset), folder / name, format_of("cvgtext", {}))
    assert list(folder.iterdir()) == []


def test_a_text_that_their_tokeniser_would_cut_is_left_out(
    make_sample: Callable[..., Sample], publish_samples: Callable[..., str], exported: Exported, tmp_path: Path
) -> None:
    fits, long = ("brick " * 298).strip(), ("brick " * 299).strip()
    assert (count_clip_tokens(fits), count_clip_tokens(long)) == (300, 301)
    samples = [make_sample(0, description=fits), make_sample(1, description=long), make_sample(2)]
    where = publish_samples(tmp_path, samples)
    target = exported("cvgtext", where)
    assert (target.taken, dict(target.reasons)) == (2, {"description of more than 300 tokens": 1})


def test_texts_that_are_null_are_left_out(exported: Exported) -> None:
    with pytest.raises(ConfigError, match="12 no description_street"):
        exported("cvgtext", text="description_street")


@pytest.mark.parametrize(("count", "refused"), [(100, False), (101, True)])
def test_more_texts_at_a_place_than_they_rank_are_refused(
    make_sample: Callable[..., Sample],
    publish_samples: Callable[..., str],
    exported: Exported,
    tmp_path: Path,
    count: int,
    refused: bool,
) -> None:
    plain = make_sample(0)
    samples = [plain.model_copy(update={"sample_id": f"town-{i:06d}"}) for i in range(count)]
    where = publish_samples(tmp_path, samples)
    if refused:
        with pytest.raises(ConfigError, match=r"101 texts at 52\.00000000,13\.00000000"):
            exported("cvgtext", where)
    else:
        assert exported("cvgtext", where).taken == 100


def test_test_samples_beyond_the_limit_are_a_version_of_their_own(
    make_sample: Callable[..., Sample], publish_samples: Callable[..., str], exported: Exported, tmp_path: Path,
    folder: Path,
) -> None:  # fmt: skip
    samples = [make_sample(i, split="test" if i < 7 else "train") for i in range(9)]
    exported("cvgtext", publish_samples(tmp_path, samples), max_test=3)
    counts = [len(texts(folder, f"{name}-photos", "test")) for name in ("Town", "Town2", "Town3")]
    assert counts == [3, 3, 1]
    assert len(texts(folder, "Town-photos", "train")) == 2
    assert texts(folder, "Town2-photos", "train") == {}


def test_regions_that_would_share_a_version_are_refused(
    make_sample: Callable[..., Sample], publish_samples: Callable[..., str], exported: Exported, tmp_path: Path
) -> None:
    samples = [make_sample(0, region="la-rochelle"), make_sample(1, region="la--rochelle")]
    with pytest.raises(ConfigError, match="which becomes LaRochelle"):
        exported("cvgtext", publish_samples(tmp_path, samples))


def test_perfect_scores_give_a_hundred_of_everything(
    make_sample: Callable[..., Sample], publish_samples: Callable[..., str], exported: Exported, tmp_path: Path,
    folder: Path,
) -> None:  # fmt: skip
    plain = make_sample(0)
    samples = []
    for i in range(110):
        changes: dict[str, object] = {"split": "test"}
        if i % 2:
            changes |= {"panorama": plain.street, "panorama_view": plain.street_view}
        samples.append(make_sample(i, **changes))
    exported("cvgtext", publish_samples(tmp_path, samples))
    paths = [
        str(folder / f"{version}-satellite" / name)
        for version in ("Town", "Town-photos")
        for name in texts(folder, version, "test")
    ]
    figures = theirs.score(np.eye(len(paths)), paths)
    assert {block: row.pop("count") for block, row in figures.items()} == {
        "overall": 110, "panorama": 55, "single view": 55,
    }  # fmt: skip
    for row in figures.values():
        assert row.pop("deviation") == 0
        assert set(row.values()) == {1.0}


@given(
    lat=st.floats(-90, 90),
    lon=st.floats(-180, 180),
    taken=st.none() | st.datetimes(timezones=st.just(UTC)),
    yaw=st.none() | st.floats(0, 360, exclude_max=True),
)
def test_names_are_what_their_pattern_reads(lat: float, lon: float, taken: datetime | None, yaw: float | None) -> None:
    photo, panorama = photo_name(lat, lon, "town-0af"), panorama_name(lat, lon, taken, "town-0af", yaw)
    for name in (photo, panorama):
        assert theirs.place(name) == pytest.approx((lat, lon), abs=1e-8)
    assert photo == f"{coordinate(lat, lon)}_town-0af.png"
    assert re.fullmatch(r"-?\d+\.\d{8},-?\d+\.\d{8}_\d{4}-\d\d_town-0af_d([0-9]{1,3})_z\d+\.png", panorama)


@given(st.from_regex(r"[a-z0-9][a-z0-9-]{0,62}", fullmatch=True), st.integers(2, 99))
def test_a_version_s_name_has_nothing_that_their_code_acts_on(region: str, number: int) -> None:
    name = version_of(region)
    assert re.fullmatch("[A-Za-z0-9]+", name)
    assert name + str(number) != version_of(f"{region}-{number}")
