import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h3
import pyarrow.parquet as pq
import pytest
from obstore.store import MemoryStore

from pipeline.config.build import Build
from pipeline.config.sources import MapFiles
from pipeline.errors import ConfigError
from pipeline.publishing.exclusions import Exclusion
from pipeline.publishing.publish import publish
from pipeline.publishing.samples import pictures
from pipeline.publishing.units import FinishedUnit
from pipeline.storage import Store, open_store
from schemas.arrow import from_table
from schemas.records import AERIAL, CueRow, ImageryRow, Signatures
from tests.publishing.folders import SMALL, files, put, samples, tree
from tools.verify.verify import verify

KINDS = list(Signatures.model_fields)
MakeUnit = Callable[..., FinishedUnit]
MakeBuild = Callable[..., Build]


def test_the_whole_way(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    manifest = put(make_build(**SMALL), units, tmp_path)
    assert verify(open_store(str(tmp_path))) == []
    published = samples(tmp_path, manifest)
    assert len(published) == manifest.counts.published == 40
    assert manifest.counts.sites == 43
    assert manifest.counts.failed == {"no_street_view": 3}
    assert manifest.counts.outcomes == {
        "north": {"finished": 30, "no_street_view": 1},
        "south": {"finished": 10, "no_street_view": 2},
    }
    assert {sample.split for sample in published} == {"train", "val", "test_seen"}
    assert len(manifest.shards) > 4

    imagery = {row["site_id"]: row for unit in units for row in unit.load().imagery.to_pylist()}
    for sample in published:
        row = imagery[sample.sample_id]
        flat = [view for view in row["views"] if view["projection"] == "perspective"]
        assert sample.street.bytes == flat[0]["image"]["bytes"]
        assert [view.image.bytes for view in sample.other_views] == [view["image"]["bytes"] for view in flat[1:]]
        assert (sample.panorama is None) == (not sample.sample_id.endswith("001"))
        assert (sample.aerial is None) == sample.sample_id.endswith("002")
        assert sample.licence_class == "share-alike"
        assert not sample.synthetic


def test_rows_are_in_the_order_that_the_footer_names(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    for shard in put(make_build(**SMALL), units, tmp_path).shards:
        table = pq.read_table(tmp_path / shard.path)
        keys = list(zip(table["unit"].to_pylist(), table["sample_id"].to_pylist(), strict=True))
        assert keys == sorted(keys)
        assert shard.counts.regions == {table["region"][0].as_py(): table.num_rows}
        assert shard.units == len(set(table["unit"].to_pylist()))
        assert shard.row_groups > 1


def test_attribution_has_a_row_a_picture(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    manifest = put(make_build(), units, tmp_path)
    rows = pq.read_table(tmp_path / f"revisions/{manifest.digest}/attribution.parquet").to_pylist()
    pictures = sum(count for by_licence in manifest.counts.pictures.values() for count in by_licence.values())
    assert len(rows) == pictures == 138
    first = [row for row in rows if row["sample_id"].endswith("001")][:6]
    assert [row["role"] for row in first] == ["street", "panorama", "aerial", "map", "other", "other"]
    assert [row["licence"] for row in first[:4]] == ["CC-BY-SA-4.0", "CC-BY-SA-4.0", "CC-BY-4.0", "ODbL-1.0"]
    assert {row["author"] for row in rows} == {"A. Person"}
    assert {row["captured_at"] for row in rows} >= {None, "2023-07-01T00:00:00Z"}


def test_the_index_has_a_row_a_sample(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    manifest = put(make_build(**SMALL), units, tmp_path)
    rows = pq.read_table(tmp_path / f"revisions/{manifest.digest}/samples.parquet").to_pylist()
    assert len(rows) == 40
    for row in rows:
        sample = pq.read_table(tmp_path / row["shard"]).slice(row["row"], 1).to_pylist()[0]
        for name in (
            "sample_id",
            "split",
            "region",
            "unit",
            "lat",
            "lon",
            "weight",
            "licence_class",
            "redistributable",
        ):
            assert row[name] == sample[name], name
        assert row["street_licence"] == "CC-BY-SA-4.0"
        assert row["aerial_licence"] == (sample["aerial_chip"] and sample["aerial_chip"]["licence"])
        assert row["panorama_licence"] == (sample["panorama_view"] and sample["panorama_view"]["licence"])
    assert {row["aerial_licence"] for row in rows} == {None, "CC-BY-4.0"}


def test_no_two_pictures_have_one_name(make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path) -> None:
    def more(row: ImageryRow) -> ImageryRow:
        return row.model_copy(update={"aerial_scales": [row.aerial, row.aerial] if row.aerial else []})

    unit = make_unit("north", h3.latlng_to_cell(52.5, 13.5, 9), change=more)
    published = samples(tmp_path, put(make_build(), [unit], tmp_path))
    names = [image.path for sample in published for _, image, _ in pictures(sample)]
    assert len(set(names)) == len(names) == 4 * 3 + 3 * 2 + 2
    assert f"{published[1].sample_id}-other-2.jpg" in names
    assert verify(open_store(str(tmp_path))) == []


def test_regions_share_shards_where_asked_for(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    manifest = put(make_build(mix_regions=True), units, tmp_path)
    train = [shard for shard in manifest.shards if shard.split == "train"]
    assert [sorted(shard.counts.regions) for shard in train] == [["north", "south"]]
    assert train[0].path.startswith("data/train/mixed-")
    assert verify(open_store(str(tmp_path))) == []


def test_same_units_in_any_order_give_the_same_bytes(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build(**SMALL)
    put(build, units, tmp_path / "a")
    put(build, units[::-1], tmp_path / "b")
    put(build, units, tmp_path / "b")
    assert tree(tmp_path / "a") == tree(tmp_path / "b")


def test_near_duplicates_of_other_units_are_left_out(
    make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path
) -> None:
    def same_picture(row: ImageryRow) -> ImageryRow:
        views = [view.model_copy(update={"phash": "00ff00ff00ff00ff"}) for view in row.views]
        return row.model_copy(update={"views": views}) if row.site_id.endswith("000") else row

    cells = sorted(h3.latlng_to_cell(52.2 + 0.1 * i, 13.2, 9) for i in range(3))
    units = [make_unit("north", cell, sites=2, change=same_picture) for cell in cells]
    manifest = put(make_build(), units, tmp_path / "a")
    assert {reason: count for reason, count in manifest.counts.excluded.items() if count} == {"near_duplicate": 2}
    assert manifest.counts.excluded.keys() == {str(reason) for reason in Exclusion}
    kept = [sample.sample_id for sample in samples(tmp_path / "a", manifest) if sample.sample_id.endswith("000")]
    assert kept == [f"north-{cells[0]}-000"]
    assert put(make_build(min_duplicate_distance=0), units, tmp_path / "b").counts.excluded["near_duplicate"] == 0


def test_no_chip_meets_a_chip_of_another_split(make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path) -> None:
    disk = sorted(h3.grid_disk(h3.latlng_to_cell(52.3, 13.4, 9), 4))
    build = make_build(splits={"train": 0.4, "val": 0.3, "test_seen": 0.3}, allow_empty=[])
    wide = build.imagery.chips.model_copy(update={"size_px": 1024})
    build = build.model_copy(update={"imagery": build.imagery.model_copy(update={"chips": wide})})
    manifest = put(build, [make_unit("north", cell, sites=1) for cell in disk], tmp_path)
    assert manifest.counts.excluded["split_embargo"] > 0
    assert len(manifest.counts.splits) == 3
    assert manifest.counts.published + manifest.counts.excluded["split_embargo"] == len(disk)
    assert verify(open_store(str(tmp_path))) == []


def test_no_capture_sequence_is_in_two_splits(make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path) -> None:
    def driven(row: ImageryRow) -> ImageryRow:
        views = [view.model_copy(update={"sequence": "drive 7"}) for view in row.views]
        return row.model_copy(update={"views": views}) if row.site_id.endswith("000") else row

    cells = sorted(h3.latlng_to_cell(52.2 + 0.1 * i, 13.2, 9) for i in range(3))
    build = make_build(splits={"train": 0.4, "val": 0.3, "test_seen": 0.3}, allow_empty=[])
    manifest = put(build, [make_unit("north", cell, sites=3, change=driven) for cell in cells], tmp_path)
    published = samples(tmp_path, manifest)
    assert {sample.split for sample in published} == {"train", "val", "test_seen"}
    assert [sample.split for sample in published if sample.street_view.sequence] == ["test_seen"]
    assert manifest.counts.excluded["sequence_embargo"] == 2
    assert verify(open_store(str(tmp_path))) == []


def test_what_stands_in_two_regions_goes_into_one_split(
    make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path
) -> None:
    cells = [h3.latlng_to_cell(52.2 + 0.05 * i, 13.2, 9) for i in range(8)]
    units = [make_unit(region, cell, sites=1) for region in ("north", "south") for cell in cells]
    published = samples(tmp_path, put(make_build(), units, tmp_path))
    assert len({(sample.unit, sample.split) for sample in published}) == len(cells)


def test_every_picture_has_its_signatures(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    published = samples(tmp_path, put(make_build(**SMALL), units, tmp_path))
    cues = {row.site_id: row for unit in units for row in from_table(CueRow, unit.load().cues)}
    for sample in published:
        found: dict[tuple[str, str], list[float]] = {
            (s.view_id, s.kind): s.values for s in cues[sample.sample_id].signatures
        }
        assert sample.street_signatures.model_dump() == {
            kind: found[sample.street_view.view_id, kind] for kind in KINDS
        }
        if sample.aerial is None:
            assert sample.aerial_signatures is None
        else:
            assert sample.aerial_signatures is not None
            assert sample.aerial_signatures.model_dump() == {kind: found[AERIAL, kind] for kind in KINDS}
    assert any(sample.aerial is None for sample in published)


def test_further_chips_and_drone_views_are_counted(make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path) -> None:
    def seen_from_above(row: ImageryRow) -> ImageryRow:
        return row.model_copy(update={"aerial_scales": [row.aerial] if row.aerial else [], "drone": row.aerial})

    unit = make_unit("north", h3.latlng_to_cell(52.5, 13.5, 9), change=seen_from_above)
    manifest = put(make_build(), [unit], tmp_path)
    assert verify(open_store(str(tmp_path))) == []
    chips = {source: sum(counts.values()) for source, counts in manifest.counts.pictures.items() if "ortho" in source}
    assert chips == {"aerial ortho": 6, "drone ortho": 3}


def test_the_json_schema_says_what_columns_mean(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    put(make_build(), units, tmp_path)
    (path,) = tmp_path.glob("revisions/*/sample.schema.json")
    schema = json.loads(path.read_text(encoding="utf-8"))
    assert schema["properties"]["aerial_signatures"]["description"] == "Signatures of `aerial`."
    assert schema["$defs"]["Signatures"]["properties"]["colour"]["description"].startswith("48 numbers: histograms")


def test_drawn_samples_say_so(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    def drawn(row: ImageryRow) -> ImageryRow:
        views = [view.model_copy(update={"truth": "{}"}) for view in row.views]
        return row.model_copy(update={"views": views})

    manifest = put(make_build(), units, tmp_path / "a", synthetic={"ortho"})
    assert manifest.counts.synthetic == sum(sample.aerial is not None for sample in samples(tmp_path / "a", manifest))
    assert "test instrument" in (tmp_path / "a" / "README.md").read_text()
    assert verify(open_store(str(tmp_path / "a"))) == []


def test_truth_is_kept_for_drawn_views_only(make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path) -> None:
    def drawn(row: ImageryRow) -> ImageryRow:
        return row.model_copy(update={"views": [view.model_copy(update={"truth": "{}"}) for view in row.views]})

    unit = make_unit("north", h3.latlng_to_cell(52.3, 13.4, 9), sites=2, change=drawn)
    for name, synthetic, truth in (("drawn", {"photos"}, "{}"), ("taken", set[str](), None)):
        published = samples(tmp_path / name, put(make_build(), [unit], tmp_path / name, synthetic))
        assert {view.truth for sample in published for view in sample.other_views} == {truth}


def test_map_cues_carry_the_map_data_s_licence(make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path) -> None:
    def no_map(row: ImageryRow) -> ImageryRow:
        views = [view.model_copy(update={"licence": "CC-BY-4.0"}) for view in row.views]
        return row.model_copy(update={"map": None, "views": views})

    unit = make_unit("north", h3.latlng_to_cell(52.3, 13.4, 9), sites=1, change=no_map)
    build = make_build()
    files = {"osm": MapFiles(type="files", files=[Path("extract.osm.pbf")])}
    with_files = build.model_copy(update={"sources": build.sources.model_copy(update={"map": files})})
    for name, settings, kind in (("a", build, "other"), ("b", with_files, "share-alike")):
        published = samples(tmp_path / name, put(settings, [unit], tmp_path / name))
        assert [sample.licence_class for sample in published] == [kind]  # `other`: nothing says what licence it has
        assert [sample.map_data_licence_class for sample in published] == [kind]


def test_no_path_of_this_machine_is_published(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    build = make_build()
    files = {"osm": MapFiles(type="files", files=[tmp_path / "secret" / "extract.osm.pbf"])}
    build = build.model_copy(update={"sources": build.sources.model_copy(update={"map": files})})
    put(build, units, tmp_path / "out")
    for path in (tmp_path / "out").rglob("*"):
        if path.is_file():
            assert str(tmp_path).encode() not in path.read_bytes()
            assert build.workspace.encode() not in path.read_bytes()
    assert "extract.osm.pbf" in (tmp_path / "out" / "manifest.json").read_text()


@pytest.mark.parametrize("stray", ["notes.txt", "manifest.json", "data/train/north-00000-of-00001.parquet"])
def test_another_s_folder_is_left_alone(
    stray: str, units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    (tmp_path / stray).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / stray).write_text('{"name": "small"}')
    with pytest.raises(ConfigError, match="files of another kind"):
        put(make_build(), units, tmp_path)
    assert files(tmp_path) == {stray}


def test_another_build_s_dataset_is_left_alone(
    units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path
) -> None:
    build = make_build()
    put(build, units, tmp_path)
    before = tree(tmp_path)
    with pytest.raises(ConfigError, match="dataset of build 'small'"):
        put(build.model_copy(update={"name": "other"}), units, tmp_path)
    assert tree(tmp_path) == before


def test_nothing_to_publish_leaves_the_folder_as_it_is(
    units: list[FinishedUnit], make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path
) -> None:
    put(make_build(), units, tmp_path)
    before = tree(tmp_path)
    bad = make_unit("north", h3.latlng_to_cell(52.3, 13.4, 9), sites=0, bad=2)
    with pytest.raises(ConfigError, match="2 no_street_view"):
        put(make_build(), [bad], tmp_path)
    with pytest.raises(ConfigError, match="no site at all"):
        put(make_build(), [], tmp_path)
    assert tree(tmp_path) == before


def test_a_bucket_gets_the_same_files(units: list[FinishedUnit], make_build: MakeBuild, tmp_path: Path) -> None:
    bucket = Store("memory://", MemoryStore(), None)
    for _ in range(2):  # the second time over the first
        publish(make_build(), units, bucket, synthetic=set(), provenance={"code": "abc"})
    assert verify(bucket) == []
    put(make_build(), units, tmp_path)
    here = tree(tmp_path)
    assert {entry.path for entry in bucket.entries()} == here.keys()
    for path in here:
        assert path.endswith("manifest.json") or hashlib.sha256(bucket.read(path)).hexdigest() == here[path]


def test_one_id_in_two_units_is_refused(make_unit: MakeUnit, make_build: MakeBuild, tmp_path: Path) -> None:
    units = [make_unit("north", h3.latlng_to_cell(lat, 13.4, 9), sites=1) for lat in (52.3, 52.4)]
    index = units[0].load_index()
    clash = [replace(unit, load_index=lambda: index) for unit in units]
    with pytest.raises(ValueError, match="several sites are called north-"):
        put(make_build(), clash, tmp_path)
    assert files(tmp_path) == set()
