"""The sources and engines that a build names, made once a process and shared by its threads."""

import threading
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeVar

from pipeline.captioning.base import Captioner
from pipeline.config import Build, Region, source_name
from pipeline.digest import digest
from pipeline.perception.base import OcrEngine, Segmenter
from pipeline.sources.base import AerialSource, MapSource, StreetSource

T = TypeVar("T")


def _folder_street(*args: Any) -> StreetSource:
    from pipeline.sources.folder import FolderStreetSource

    return FolderStreetSource(*args)


def _world_street(*args: Any) -> StreetSource:
    from pipeline.sources.world import WorldStreetSource

    return WorldStreetSource(*args)


def _raster(*args: Any) -> AerialSource:
    from pipeline.sources.raster import RasterSource

    return RasterSource(*args)


def _world_aerial(*args: Any) -> AerialSource:
    from pipeline.sources.world import WorldAerialSource

    return WorldAerialSource(*args)


def _map_files(*args: Any) -> MapSource:
    from pipeline.sources.mapfiles import MapFilesSource

    return MapFilesSource(*args)


def _world_map(*args: Any) -> MapSource:
    from pipeline.sources.world import WorldMapSource

    return WorldMapSource(*args)


def _rapidocr(config: Any) -> OcrEngine:
    from pipeline.perception.rapid import RapidOcrEngine

    return RapidOcrEngine(config)


def _oracle_ocr(config: Any) -> OcrEngine:
    from pipeline.perception.oracle import OracleOcr

    return OracleOcr(config)


def _superpixels(config: Any) -> Segmenter:
    from pipeline.perception.superpixels import SuperpixelSegmenter

    return SuperpixelSegmenter(config)


def _oracle_segmenter(config: Any) -> Segmenter:
    from pipeline.perception.oracle import OracleSegmenter

    return OracleSegmenter(config)


STREET: dict[str, Callable[..., StreetSource]] = {"folder": _folder_street, "world": _world_street}
AERIAL: dict[str, Callable[..., AerialSource]] = {"raster": _raster, "world": _world_aerial}
MAP: dict[str, Callable[..., MapSource]] = {"files": _map_files, "world": _world_map}
OCR: dict[str, Callable[..., OcrEngine]] = {"rapidocr": _rapidocr, "oracle": _oracle_ocr}
SEGMENTERS: dict[str, Callable[..., Segmenter]] = {"superpixels": _superpixels, "oracle": _oracle_segmenter}
"""To add a source or an engine: one file, one factory, one line here, and its section in `pipeline.config`."""


class Toolbox:
    """What a build's stages work with. Everything is made on first use, under a lock."""

    def __init__(self, build: Build) -> None:
        self.build = build
        self.regions = {region.name: region for region in build.regions}
        self._lock = threading.RLock()
        self._made: dict[tuple[str, str], Any] = {}

    def street(self, region: str) -> StreetSource:
        """The region's street source."""
        source = self._source(region, "street", STREET)
        assert source is not None  # the configuration is checked for it
        return source

    def aerial(self, region: str) -> AerialSource | None:
        """The region's aerial source, if it has one."""
        return self._source(region, "aerial", AERIAL)

    def map(self, region: str) -> MapSource | None:
        """The region's map source, if it has one."""
        return self._source(region, "map", MAP)

    @property
    def ocr(self) -> OcrEngine:
        """The OCR engine."""
        config = self.build.perception.ocr
        return self._once("ocr", config.engine, lambda: OCR[config.engine](config))

    @property
    def segmenter(self) -> Segmenter:
        """The segmenter."""
        config = self.build.perception.segmenter
        return self._once("segmenter", config.engine, lambda: SEGMENTERS[config.engine](config))

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

        return self._once("captioner", "composer", lambda: Composer(self.build.captioner, self.build.seed))

    def synthetic_sources(self) -> set[str]:
        """Names of the sources whose pictures are drawn."""
        found = [source for r in self.regions for source in (self.street(r), self.aerial(r), self.map(r))]
        return {source.name for source in found if source is not None and source.synthetic}

    def _source(
        self, region: str, kind: Literal["street", "aerial", "map"], factories: Mapping[str, Callable[..., T]]
    ) -> T | None:
        name = source_name(self.build, self.regions[region], kind)
        if name is None:
            return None
        config = getattr(self.build.sources, kind)[name]
        users = [r for r in self.build.regions if source_name(self.build, r, kind) == name]
        return self._once(kind, name, lambda: factories[config.type](name, config, users))

    def _once(self, kind: str, name: str, make: Callable[[], T]) -> T:
        with self._lock:
            if (kind, name) not in self._made:
                self._made[kind, name] = make()
            made: T = self._made[kind, name]
            return made


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
