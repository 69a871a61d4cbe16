"""The sources and engines of a build, made once per process and shared by its threads."""

import threading
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

from pipeline.boundary import Boundary
from pipeline.captioning.base import Captioner
from pipeline.config.build import Build, captioner_of, source_name
from pipeline.config.captioning import Composer as ComposerConfig
from pipeline.config.captioning import Dialogue
from pipeline.config.names import AERIAL, MAP, OCR, SEGMENTERS, STREET
from pipeline.config.perception import EngineSection
from pipeline.config.region import Region
from pipeline.config.sources import KINDS, NetworkSource, SourceKind
from pipeline.digest import digest
from pipeline.net.base import Client
from pipeline.perception.base import OcrEngine, Segmenter
from pipeline.registry.guarded import guard_source
from pipeline.sources.base import AerialSource, MapSource, Networked, StreetSource
from schemas.reasons import Reason


class Registry:
    """Sources, engines and captioner of a build. Everything is made on first use, under a lock."""

    def __init__(self, build: Build, limits_at: str | None = None) -> None:
        self.build = build
        self.limits_at = limits_at
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

    def drone(self, region: str) -> AerialSource | None:
        """The region's drone source, if it has one."""
        source: AerialSource | None = self._source(region, "drone", AERIAL)
        return source

    def map(self, region: str) -> MapSource | None:
        """The region's map source, if it has one."""
        source: MapSource | None = self._source(region, "map", MAP)
        return source

    @property
    def client(self) -> Client:
        """The network client, with this process's own rate limits or those that the driver serves."""
        from pipeline.net.client import HttpClient
        from pipeline.net.outages import OutageRules
        from pipeline.net.remote_rate_limit import RemoteRateLimiter

        limiter = RemoteRateLimiter(self.limits_at) if self.limits_at else None
        limits = self.build.limits
        outage = OutageRules(limits.outage_wait_s, limits.outage_share)
        client: Client = self._once("client", "http", lambda: HttpClient(self.build.network, limiter, outage=outage))
        return client

    def networked(self) -> list[tuple[SourceKind, str, Region, Networked]]:
        """Each source on the network that a region uses: kind, name, the first such region, and the source."""
        found: dict[tuple[SourceKind, str], tuple[Region, Networked]] = {}
        for region in self.build.regions:
            for kind in KINDS:
                source = getattr(self, kind)(region.name)
                if isinstance(source, Networked):
                    found.setdefault((kind, source.name), (region, source))
        return [(kind, name, region, source) for (kind, name), (region, source) in found.items()]

    @property
    def ocr(self) -> OcrEngine:
        """The OCR engine of regions that have none of their own."""
        return self._ocr(self.build.perception.ocr)

    def ocr_of(self, region: str) -> OcrEngine:
        """The OCR engine of a region."""
        own = self.regions[region].perception
        return self.ocr if own is None else self._ocr(own.ocr)

    def _ocr(self, config: EngineSection) -> OcrEngine:
        engine: OcrEngine = self._once("ocr", digest(config), lambda: resolve_name(OCR[config.engine])(config))
        return engine

    @property
    def segmenter(self) -> Segmenter:
        """All segmenters as one."""
        segmenter: Segmenter = self._once("segmenter", "all", self._make_segmenter)
        return segmenter

    def _make_segmenter(self) -> Segmenter:
        from pipeline.perception.ensemble import Ensemble

        configs = self.build.perception.segmenters
        engines = [resolve_name(SEGMENTERS[config.engine])(config) for config in configs]
        # What is known to be true needs no second opinion, and drawn walls have no material.
        return engines[0] if configs[0].engine == "oracle" else Ensemble(engines)

    @property
    def blurrer(self) -> Any:
        """The face blurrer, or None if the build switches it off."""
        if self.build.imagery.anonymiser == "none":
            return None
        from pipeline.imaging.anonymise import FaceBlurrer

        return self._once("blurrer", "centerface", FaceBlurrer)

    @property
    def captioner(self) -> Captioner:
        """The captioner of regions that have no prompt set of their own."""
        return self._captioner(self.build.captioner)

    def captioner_of(self, region: str) -> Captioner:
        """The captioner of a region."""
        own = self.regions[region].captioner
        return self.captioner if own is None else self._captioner(captioner_of(self.build, self.regions[region]))

    def _captioner(self, settings: ComposerConfig | Dialogue) -> Captioner:
        captioner: Captioner = self._once("captioner", settings.prompt_set, lambda: self._make_captioner(settings))
        return captioner

    def _make_captioner(self, settings: ComposerConfig | Dialogue) -> Captioner:
        if isinstance(settings, Dialogue):
            from pipeline.captioning.dialogue.dialogue import DialogueCaptioner

            return DialogueCaptioner(settings, self.build)
        from pipeline.captioning.composer.composer import Composer

        return Composer(settings, self.build.seed)

    def boundary(self, what: str, reason: Reason) -> Boundary:
        """The boundary to something that is not ours; the same one for the same words."""
        boundary: Boundary = self._once("boundary", what, lambda: Boundary(what, reason))
        return boundary

    def synthetic_sources(self) -> set[str]:
        """Names of the sources whose pictures are drawn."""
        found = [s for r in self.regions for s in (self.street(r), self.aerial(r), self.drone(r), self.map(r))]
        return {source.name for source in found if source is not None and source.synthetic}

    def _source(self, region: str, kind: SourceKind, known: Mapping[str, str]) -> Any:
        name = source_name(self.build, self.regions[region], kind)
        if name is None:
            return None
        config = getattr(self.build.sources, kind)[name]

        def make() -> Any:
            users = [r for r in self.build.regions if source_name(self.build, r, kind) == name]
            more = (self.client,) if isinstance(config, NetworkSource) else ()
            return guard_source(kind, resolve_name(known[config.type])(name, config, users, *more))

        return self._once(kind, name, make)

    def _once(self, kind: str, name: str, make: Callable[[], Any]) -> Any:
        with self._lock:
            if (kind, name) not in self._made:
                self._made[kind, name] = make()
            return self._made[kind, name]


_registries: dict[str, Registry] = {}
_registries_lock = threading.Lock()


def registry_of(build: Build, limits_at: str | None = None) -> Registry:
    """The process's registry for a build. Models are loaded once, however many threads and steps use it.

    `limits_at` is the address of the shared rate limits, if the build has several processes.
    """
    mark = digest(build, length=32)
    with _registries_lock:
        known = _registries.get(mark)
        if known is None or known.limits_at != limits_at:  # a cluster's worker outlives the build that it was made for
            known = _registries[mark] = Registry(build, limits_at)
        return known


def region_sources(registry: Registry, region: Region) -> dict[str, str | None]:
    """Fingerprint of each of a region's sources, by kind."""
    aerial, drone, around = registry.aerial(region.name), registry.drone(region.name), registry.map(region.name)
    return {
        "street": registry.street(region.name).fingerprint(),
        "aerial": aerial.fingerprint() if aerial else None,
        "drone": drone.fingerprint() if drone else None,
        "map": around.fingerprint() if around else None,
    }
