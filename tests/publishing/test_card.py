import re
from collections.abc import Callable

import pytest
import yaml

from pipeline.config.build import Build
from pipeline.config.perception import OracleSegments
from pipeline.publishing.card import render
from pipeline.publishing.manifest import Counts, ShardCounts, ShardEntry
from schemas.records import Sample

COUNTS = Counts(
    sites=120,
    failed={"too_blurred": 12, "no_street_view": 3},
    excluded={"near_duplicate": 2, "split_embargo": 3, "sequence_embargo": 1},
    published=100,
    synthetic=0,
    splits={"train": 90, "val": 10},
    regions={"north": {"train": 60}, "south": {"train": 30, "val": 10}},
    pictures={"street photos": {"CC-BY-SA-4.0": 150, "LicenseRef-<script>|": 1}, "map osm": {"ODbL-1.0": 100}},
    faces_blurred=17,
    absent={"aerial": 40, "panorama": 100},
    missing={"aerial: no_overlap": 40},
    captioners={"composer 1, composer-en-1": 100},
    languages={"en": 100},
    licence_classes={"share-alike": 100},
)
SHARDS = [
    ShardEntry(
        path=f"data/{split}/south-0-1.parquet", bytes=5_000_000, sha256="", split=split, recipe="", units=2, rows=10,
        row_groups=1, first_id="a", last_id="b", content="", counts=ShardCounts(regions={"south": 10}),
    )
    for split in ("train", "val")
]  # fmt: skip


@pytest.fixture
def text(make_build: Callable[..., Build]) -> str:
    return render(
        make_build(title="Streets: 'quoted' <b>and</b> | [more](x)", contact="data@example.org"),
        COUNTS,
        SHARDS,
        folder="revisions/0/",
    )


def test_header_is_what_the_hub_reads(text: str) -> None:
    header = yaml.safe_load(text.split("---\n")[1])
    assert header["pretty_name"] == "Streets: 'quoted' <b>and</b> | [more](x)"
    assert header["license"] == ["cc-by-sa-4.0", "odbl", "other"]
    assert header["license_link"] == "revisions/0/attribution.parquet"
    assert header["language"] == ["en"]
    assert header["size_categories"] == ["n<1K"]
    assert header["configs"][0]["data_files"] == [
        {"split": "train", "path": ["data/train/south-0-1.parquet"]},
        {"split": "val", "path": ["data/val/south-0-1.parquet"]},
        {"split": "validation", "path": ["data/val/south-0-1.parquet"]},
    ]
    files = header["configs"][0]["data_files"]
    photos, charted = header["configs"][1:3]
    assert photos["data_files"] == charted["data_files"] == files
    assert {"street", "aerial", "description_street"} <= set(photos["columns"])
    assert {"map", "cues", "description"} <= set(charted["columns"]) - set(photos["columns"])
    assert set(photos["columns"]) | set(charted["columns"]) | {"licence_class", "redistributable"} == set(
        Sample.model_fields
    )
    assert {config["config_name"]: config["data_files"] for config in header["configs"][3:]} == {
        "samples": [{"split": "samples", "path": "revisions/0/samples.parquet"}],
        "attribution": [{"split": "attribution", "path": "revisions/0/attribution.parquet"}],
        "excluded": [{"split": "excluded", "path": "revisions/0/excluded.parquet"}],
    }
    assert header["dataset_info"]["splits"][1] == {"name": "val", "num_bytes": 5_000_000, "num_examples": 10}
    assert "synthetic" not in header["tags"]


def test_body_says_what_was_counted(text: str) -> None:
    for line in (
        "| south | 30 | 10 |",
        "| **all** | 90 | 10 |",
        "| `too_blurred` | 12 | below the sharpness gate |",
        "| `near_duplicate` | 2 |",
        "| `aerial` | 40 |",
        "| aerial | the raster or map does not reach the chip | 40 |",
        "| map osm | ODbL-1.0 | share-alike | 100 |",
        "| `share-alike` | credit, and the same licence for what is adapted from it (CC-BY-SA, ODbL) | 100 |",
        "| `attribution` | credit (CC-BY, ODC-By, MIT) | 0 |",
        "](revisions/0/samples.parquet)",
        "no language model wrote them",
        "**Empty:** `test_seen`, although",
        "blurred before a picture was written anywhere: 17 times",
        "write to data@example.org",
    ):
        assert line in text
    assert "test instrument" not in text
    assert "oracle" not in text


def test_text_from_outside_cannot_act(text: str) -> None:
    body = text.split("---\n", 2)[2]
    assert "<b>" not in body.replace("\\<b\\>", "")
    assert "LicenseRef-\\<script\\>\\|" in body
    assert "[more](" not in body.replace("\\[more\\](", "")


def test_tables_are_whole(text: str) -> None:
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in table.splitlines()}
        assert len(widths) == 1, table


def test_oracle_and_synthetic_are_labelled(make_build: Callable[..., Build]) -> None:
    build = make_build()
    oracle = build.perception.model_copy(
        update={
            "ocr": build.perception.ocr.model_copy(update={"engine": "oracle"}),
            "segmenters": [OracleSegments(engine="oracle")],
        }
    )
    drawn = COUNTS.model_copy(update={"synthetic": 100})
    text = render(build.model_copy(update={"perception": oracle}), drawn, SHARDS, folder="")
    assert text.count("**the oracle**") == 2
    assert "**This is a test instrument.** 100 of 100 samples" in text
    assert "synthetic" in yaml.safe_load(text.split("---\n")[1])["tags"]


def test_the_funnel_is_what_each_stage_left(text: str) -> None:
    rows = re.findall(r"^\| (sampled|have [a-z ]+|published) \| (\d+) \| (\d+) % \|$", text, flags=re.MULTILINE)
    assert rows == [
        ("sampled", "120", "100"),
        ("have pictures", "105", "88"),
        ("have cues", "105", "88"),
        ("have a description that passes", "105", "88"),
        ("published", "100", "83"),
    ]


def test_the_prompts_are_there_and_cannot_act(make_build: Callable[..., Build], text: str) -> None:
    assert "<details><summary>Prompt set composer-en-1</summary>" in text
    assert "\nphrases.yaml:\n\n    " in text
    gone = COUNTS.model_copy(update={"captioners": {"dialogue 1, lost-en-0, a-model": 100}})
    assert "Prompt set lost-en-0: not in this version" in render(make_build(), gone, SHARDS, folder="")
    dialogue = COUNTS.model_copy(update={"captioners": {"dialogue 1, progressive-en-2, a-model": 100}})
    told = render(make_build(), dialogue, SHARDS, folder="")
    block = told[told.index("<details>") : told.index("</details>")].split("\n", 2)[2]
    for line in block.splitlines():
        assert line.startswith("    ") or not line.strip() or re.fullmatch(r"[a-z]+\.jinja:", line), line


def test_who_has_a_copy_is_told_of_take_downs(make_build: Callable[..., Build], text: str) -> None:
    assert "Taken down" not in text
    failed = COUNTS.model_copy(update={"failed": {"taken_down": 4}})
    assert "**Taken down:** 4 places." in render(make_build(), failed, SHARDS, folder="")
