"""Sources and engines by the name that a build file gives them (`type`, `engine`), each as `module:Class`.

To add one: one file with its class and its settings, and one line here (`docs/contributing/`).
"""

STREET = {
    "folder": "pipeline.sources.street.folder:FolderStreetSource",
    "google": "pipeline.sources.street.google:GoogleStreetSource",
    "kartaview": "pipeline.sources.street.kartaview:KartaViewSource",
    "mapillary": "pipeline.sources.street.mapillary:MapillarySource",
    "panoramax": "pipeline.sources.street.panoramax:PanoramaxSource",
    "world": "pipeline.sources.world.street:WorldStreetSource",
}
AERIAL = {
    "cog": "pipeline.sources.aerial.cog:CogSource",
    "open": "pipeline.sources.aerial.open:OpenAerialSource",
    "openaerialmap": "pipeline.sources.aerial.openaerialmap:OpenAerialMapSource",
    "pmtiles": "pipeline.sources.aerial.pmtiles:PmtilesAerialSource",
    "raster": "pipeline.sources.aerial.raster:RasterSource",
    "stac": "pipeline.sources.aerial.stac:StacSource",
    "wms": "pipeline.sources.aerial.wms:WmsSource",
    "wmts": "pipeline.sources.aerial.wmts:WmtsSource",
    "world": "pipeline.sources.world.aerial:WorldAerialSource",
    "xyz": "pipeline.sources.aerial.xyz:XyzSource",
}
MAP = {
    "files": "pipeline.sources.maps.files:MapFilesSource",
    "overpass": "pipeline.sources.maps.overpass:OverpassSource",
    "overture": "pipeline.sources.maps.overture:OvertureSource",
    "pmtiles": "pipeline.sources.maps.pmtiles:PmtilesMapSource",
    "world": "pipeline.sources.world.map:WorldMapSource",
}
OCR = {
    "easyocr": "pipeline.perception.easyocr:EasyOcrEngine",
    "rapidocr": "pipeline.perception.rapidocr:RapidOcrEngine",
    "oracle": "pipeline.perception.oracle:OracleOcr",
}
SEGMENTERS = {
    "detector": "pipeline.perception.detector:DetectorSegmenter",
    "grounded": "pipeline.perception.open_vocabulary:GroundedSegmenter",
    "sam": "pipeline.perception.sam:SamSegmenter",
    "semantic": "pipeline.perception.semantic:SemanticSegmenter",
    "superpixels": "pipeline.perception.superpixels:SuperpixelSegmenter",
    "oracle": "pipeline.perception.oracle:OracleSegmenter",
}
