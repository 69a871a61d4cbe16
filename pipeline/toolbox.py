"""The sources and engines that a build names, made once a process and shared by its threads."""

import threading
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any, Literal

from pipeline.captioning.base import Captioner
from pipeline.config import Build, Region, source_name
from pipeline.digest import digest
from pipeline.perception.base import OcrEngine, Segmenter
from pipeline.sources.base import AerialSource, MapSource, StreetSource

STREET = {
    "folder": "pipeline.sources.folder:FolderStreetSource",
    "world": "pipeline.sources.world.street:WorldStreetSource",
}
AERIAL = {
    "raster": "pipeline.sources.raster:RasterSource",
    "world": "pipeline.sources.world.aerial:WorldAerialSource",
}
MAP = {
    "files": "pipeline.sources.mapfiles.source:MapFilesSource",
    "world": "pipeline.sources.world.map:WorldMapSource",
}
OCR = {
    "rapidocr": "pipeline.perception.rapid:RapidOcrEngine",
    "oracle": "pipeline.perception.oracle:OracleOcr",
}
SEGMENTERS = {
    "superpixels": "pipeline.perception.superpixels:SuperpixelSegmenter",
    "oracle": "pipeline.perception.oracle:OracleSegmenter",
}
"""Where a source or an engine is, by its name in the configuration; imported when a build first asks for it. To add
one: one file, one line here, and its section in `pipeline.config`."""


class Toolbox:
    """What a build's stages work with. Everything is made on first use, under a lock."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.regions = {region.name: region for region in build.regions}
        self._lock = threading.RLock()
        self._made: dict[tuple[str, str], Any] = {}

    def street(self, region: str) -> StreetSource:
        """The region's street source."""
        source: StreetSource = self._source(region, "street", STREET)
        return source

    def aerial(self, region: str) -> AerialSource | None:
        """The region's aerial source, if it has one."""
        source: AerialSource | None = self._source(region, "aerial", AERIAL)
        return source

    def map(self, region: str) -> MapSource | None:
        """The region's map source, if it has one."""
        source: MapSource | None = self._source(region, "map", MAP)
        return source

    @property
    def ocr(self) -> OcrEngine:
        """The OCR engine."""
        config = self.build.perception.ocr
        engine: OcrEngine = self._once("ocr", config.engine, lambda: resolve_name(OCR[config.engine])(config))
        return engine

    @property
    def segmenter(self) -> Segmenter:
        """The segmenter."""
        config = self.build.perception.segmenter
        engine: Segmenter = self._once(
            "segmenter", config.engine, lambda: resolve_name(SEGMENTERS[config.engine])(config)
        )
        return engine

    @property
    def blurrer(self) -> Any:
        """The face blurrer, or None where the configuration switches it off."""
        if self.build.imagery.anonymiser == "none":
            return None
        from pipeline.imaging.anonymise import FaceBlurrer

        return self._once("blurrer", "centerface", FaceBlurrer)

    @property
    def captioner(self) -> Captioner:
        """The captioner."""
        from pipeline.captioning.composer import Composer

        captioner: Captioner = self._once(
            "captioner", "composer", lambda: Composer(self.build.captioner, self.build.seed)
        )
        return captioner

    def synthetic_sources(self) -> set[str]:
        """Names of the sources whose pictures are drawn."""
        found = [source for r in self.regions for source in (self.street(r), self.aerial(r), self.map(r))]
        return {source.name for source in found if source is not None and source.synthetic}

    def _source(self, region: str, kind: Literal["street", "aerial", "map"], known: Mapping[str, str]) -> Any:
        name = source_name(self.build, self.regions[region], kind)
        if name is None:
            return None
        config = getattr(self.build.sources, kind)[name]
        users = [r for r in self.build.regions if source_name(self.build, r, kind) == name]
        return self._once(kind, name, lambda: resolve_name(known[config.type])(name, config, users))

    def _once(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if (kind, name) not in self._made:
                self._made[kind, name] = make()
            return self._made[kind, name]


_toolboxes: dict[str, Toolbox] = {}
_toolboxes_lock = threading.Lock()


def toolbox(build: Build) -> Toolbox:
    """The process's toolbox for a build: models are loaded once however many threads and steps ask."""
    mark = digest(build, length=32)
    with _toolboxes_lock:
        if mark not in _toolboxes:
            _toolboxes[mark] = Toolbox(build)
        return _toolboxes[mark]


def region_sources(tools: Toolbox, region: Region) -> dict[str, str | None]:
    """Fingerprint of each of a region's sources, by kind."""
    aerial, around = tools.aerial(region.name), tools.map(region.name)
    return {
        "street": tools.street(region.name).fingerprint(),
        "aerial": aerial.fingerprint() if aerial else None,
        "map": around.fingerprint() if around else None,
    }
