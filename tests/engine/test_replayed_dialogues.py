"""Whole dialogues on ten real places, with the recorded replies of a large vision-language model.

The graph, the sources, the perception and the checks are the real ones; only the model is replayed.
"""

import json
from pathlib import Path

import pytest
import yaml

from pipeline.config.build import Build
from pipeline.engine.build import run_build
from pipeline.engine.build_file import parse_build
from pipeline.engine.layers import list_layers, read_rows
from pipeline.storage import open_store
from schemas.records import CaptionRow
from tests.captioning.model_standin import NAME, serving
from tests.captioning.replayed import Replay
from tests.publishing.folders import manifest_of
from tools.corpus_index import index_from_manifest
from tools.verify.verify import verify

CONFIGS = Path(__file__).parents[2] / "configs"


def build_of(
    config: str, group: str, regions: tuple[str, ...], replay: Replay, corpus: Path, folder: Path, url: str
) -> Build:
    """A build file of the repository, for the photos of one group that replies are recorded for, with a model."""
    taken = index_from_manifest(corpus / "MANIFEST.jsonl", group)
    rows = [row for row in taken if row["id"] in replay.photos(regions)]
    index = folder / f"{group}.jsonl"
    index.write_text("".join(json.dumps(row) + "\n" for row in rows))
    raw = yaml.safe_load((CONFIGS / f"{config}.yaml").read_text())
    (street,) = raw["sources"]["street"].values()
    street |= {"index": str(index), "root": str(corpus)}
    (around,) = raw["sources"]["map"].values()
    around["files"] = [str(corpus / "osm" / Path(file).name) for file in around["files"]]
    if group == "lund":  # no heading, and a map of nothing but the way that the photos were taken on
        way = {"type": "way", "id": 1, "tags": {"highway": "residential"}, "geometry": [
            {"lat": row["lat"], "lon": row["lon"]} for row in taken
        ]}  # fmt: skip
        around["files"] = [str(folder / "way.json")]
        (folder / "way.json").write_text(json.dumps({"elements": [way]}))
        raw["regions"] = [{"name": "lund", "bbox": [13.18, 55.69, 13.20, 55.71]}]
    raw |= {
        "workspace": str(folder / group / "workspace"),
        "dataset": str(folder / group / "dataset"),
        "captioner": {"engine": "dialogue", "model": NAME, "endpoints": [url]},
    }
    raw["publish"] = {"allow_empty": ["train", "val", "test_seen"]}  # of a few places
    return parse_build(raw, base=folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_seeing_model_s_descriptions_of_real_places_are_published(corpus: Path, tmp_path: Path) -> None:
    replay = Replay()
    assert len(replay.places) == 10
    answers = replay.answers()
    rows: list[CaptionRow] = []
    with serving(replay) as model:
        for config, group, regions in (
            ("boulder", "boulder_co", ("boulder", "louisville")),
            ("seoul", "seoul_jongno", ("jongno",)),
            ("seoul", "lund", ("lund",)),
        ):
            build = build_of(config, group, regions, replay, corpus, tmp_path, model.url)
            run_build(build)
            store = open_store(build.workspace)
            files = [file for file in list_layers(store) if file.layer == "captions"]
            rows += [row for file in files for row in read_rows(store, file, CaptionRow)]
            measured = manifest_of(tmp_path / group / "dataset").counts.verifier
            assert measured["all"].false_accept.wrong == 0
            assert measured["all"].false_accept.of >= 5 * len(files)
            assert "How far the verifier can be believed" in (tmp_path / group / "dataset" / "README.md").read_text()
            assert verify(open_store(build.dataset)) == []
    # Statements that were not put then may be controls of another draw; the claims themselves were all answered.
    assert len(replay.unknown) <= 0.25 * replay.put, replay.unknown
    assert {row.site_id for row in rows} == set(replay.places)
    assert {row.site_id: row.detail for row in rows if row.status != "ok"} == {}

    refused = [c.text for row in rows for gone in row.dropped for c in gone.claims if c.outcome != "supported"]
    assert len([text for text in refused if answers.get(text) == "yes"]) <= 0.05 * sum(
        a == "yes" for a in answers.values()
    )
    published = {claim.text for row in rows for sentence in row.sentences for claim in sentence.claims}
    assert len(published) > 150
    assert not [text for text in published if answers.get(text) == "no"]
    assert all(claim.outcome == "supported" for row in rows for s in row.sentences for claim in s.claims)
    assert not any("PEARL" in f"{row.long}{row.short}{row.street}" for row in rows)  # the verifier could not read it
    assert not any("arrows" in f"{row.long}{row.short}{row.street}" for row in rows)  # the marks of parking bays
    assert not any("between the terrace and the road" in (row.street or "") for row in rows)  # no claim said so
    assert not any("closes the gap between it" in (row.long or "") for row in rows)  # `it` went before
    assert any("\uc61b\ub9c8\uc744" in (row.long or "") for row in rows)  # a Korean sign, in its own script
