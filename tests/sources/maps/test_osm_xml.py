"""OSM XML: what editors, histories and a broken reply say beside the objects, which pyosmium does not tell."""

import gzip
from pathlib import Path

import pytest

from pipeline.cartography.existence import GONE
from pipeline.config.region import Region
from pipeline.config.sources import MapFiles
from pipeline.errors import ConfigError
from pipeline.geo.point import Point
from pipeline.sources.maps.files import MapFilesSource

ZURICH = Point(47.3769, 8.5417)
NODES = "".join(f'<node id="{i}" lat="47.3769" lon="{lon}"/>' for i, lon in enumerate((8.5417, 8.5418), 1))
NODES += '<node id="3" lat="47.377" lon="8.5418"/>'
THINGS = {
    "point": '<node id="9" lat="47.3769" lon="8.5417" {}><tag k="shop" v="bakery"/></node>',
    "line": '<way id="9" {}><nd ref="1"/><nd ref="2"/><tag k="highway" v="primary"/></way>',
    "area": '<way id="9" {}><nd ref="1"/><nd ref="2"/><nd ref="3"/><nd ref="1"/><tag k="shop" v="mall"/></way>',
}


def source_of(path: Path) -> MapFilesSource:
    region = Region(name="r", centre=(ZURICH.lat, ZURICH.lon), radius_m=500)
    return MapFilesSource("m", MapFiles(type="files", files=[path]), [region])


@pytest.mark.parametrize("name", ["town.osm", "town.osm.gz"])
@pytest.mark.parametrize("shape", THINGS)
def test_what_somebody_has_deleted_in_an_editor_and_not_uploaded_is_gone(shape: str, name: str, tmp_path: Path) -> None:
    """JOSM keeps it, and pyosmium does not tell; what was moved or made is there."""
    pack = gzip.compress if name.endswith(".gz") else bytes
    padding = f"<!--{' ' * 2**20}-->"  # so that the file comes in pieces
    for action, left_out in (("modify", {}), ("delete", {GONE: 1})):
        thing = THINGS[shape].format(f"action='{action}' visible=\"true\"")
        text = f"<osm version='0.6' generator='JOSM'>{NODES}{padding}{thing}</osm>"
        for encoding in ("utf-8", "utf-16"):
            head = f'<?xml version="1.0" encoding="{encoding}"?>'
            (tmp_path / name).write_bytes(pack((head + text).encode(encoding)))
            assert source_of(tmp_path / name).left_out == left_out


def test_a_history_tells_nothing_that_is_gone(tmp_path: Path) -> None:
    path = tmp_path / "town.osm"
    shop = THINGS["point"].format('version="{}" visible="true"')
    path.write_text(f'<osm version="0.6">{shop.format(1)}<node id="9" version="2" visible="false"/></osm>')
    assert source_of(path).left_out == {GONE: 1}
    for root, things in (("osm", shop.format(1) + shop.format(2)), ("osmChange", f"<modify>{shop.format(1)}</modify>")):
        path.write_text(f'<{root} version="0.6">{things}</{root}>')
        with pytest.raises(ConfigError, match=r"versions? .*allowed: the map at one moment"):
            source_of(path)


def test_osm_xml_that_overpass_broke_off_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "town.osm"
    for said in ("runtime error: Query timed out in &quot;query&quot; at line 3 after 26 seconds.", "slow today"):
        path.write_text(f'<osm version="0.6">{NODES}<remark> {said} </remark></osm>')
        if "error" in said:
            with pytest.raises(ConfigError, match=r'an incomplete reply \(runtime error: Query timed out in "query"'):
                source_of(path)
        else:
            assert source_of(path).left_out == {}


def test_a_document_type_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "town.osm"
    entity = '<!DOCTYPE osm [<!ENTITY a SYSTEM "file:///etc/hostname">]>'
    path.write_text(f'{entity}<osm version="0.6">{NODES}<node id="9" action="delete"/><note>&a;</note></osm>')
    with pytest.raises(ConfigError, match="XML with a document type of its own"):
        source_of(path)
