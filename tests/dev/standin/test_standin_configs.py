"""The build files that build against the stand-in, and a source of each through the real client."""

from pathlib import Path

import pytest

from pipeline.engine.build_file import load_build
from pipeline.registry.registry import Registry
from pipeline.sources.base import Networked
from tools.dev.standin import Running, keys_in_urls

CONFIGS = Path(__file__).resolve().parents[3] / "configs"
NAMES = ["standin-panoramax", "standin-mapillary", "standin-kartaview"]


@pytest.mark.parametrize("name", NAMES)
def test_each_is_sound_and_its_sources_find_what_they_ask_for(
    name: str, standin: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STANDIN_KEY", standin.key)
    text = (CONFIGS / f"{name}.yaml").read_text("utf-8")
    text = text.replace("http://127.0.0.1:8765", standin.api).replace("127.0.0.1:8766", standin.pictures_host)
    file = tmp_path / "build.yaml"
    file.write_text(text.replace(f"out/{name}/cache", str(tmp_path / "cache")), "utf-8")
    build = load_build(file)
    registry = Registry(build)
    before = len(standin.log())
    for _, _, region, source in registry.networked():
        assert isinstance(source, Networked)
        assert source.probe(region)
    street = registry.street(build.regions[0].name)
    photos = list(street.candidates(build.regions[0]))
    assert len(photos) > 40
    asked = standin.log()[before:]
    assert not keys_in_urls(asked)
    assert {entry.status for entry in asked if entry.provider} == {200}
    assert all("standin@example.org" in (entry.user_agent or "") for entry in asked)
