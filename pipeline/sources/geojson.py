"""GeoJSON's coordinate system: RFC 7946 knows WGS 84 only, the format of 2008 named one in a member `crs`."""

import json
from typing import Any

from pipeline.sources.geoparquet import is_wgs84

_SHOWN = 200


def other_system(crs: Any) -> str | None:
    """The coordinate system that a member `crs` names, for a message; None if it is WGS 84, longitude first.

    Forms: `{"type": "name", "properties": {"name": ...}}`, `{"type": "EPSG", "properties": {"code": ...}}` (GeoJSON of
    2008 and its drafts), and the name alone, as some programs write it.
    """
    properties = crs.get("properties") if isinstance(crs, dict) else None
    if isinstance(properties, dict):
        code = properties.get("code")
        name = f"EPSG:{code}" if type(code) is int else properties.get("name")
    else:
        name = crs
    if isinstance(name, str | int) and not isinstance(name, bool) and is_wgs84(name):
        return None
    return (name if isinstance(name, str) and name else json.dumps(crs))[:_SHOWN]
