"""Joins the three layers of a unit to the rows of a shard."""

from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import shapely

from pipeline.publishing.decisions import Edit, replaced
from pipeline.publishing.units import UnitPart, UnitTables
from schemas.arrow import from_table
from schemas.licences import LicenceClass, Part, licence_class, strictest
from schemas.records import (
    AERIAL,
    BBox,
    CaptionRow,
    Chip,
    ChipInfo,
    Credit,
    CueRow,
    Image,
    ImageryRow,
    Lacking,
    Sample,
    Signatures,
    Split,
    StreetInfo,
    StreetView,
)

Role = Literal["street", "panorama", "other", "aerial", "scale", "drone", "map"]
PART_OF: dict[Role, Part] = {
    "street": "street", "panorama": "street", "other": "street", "aerial": "aerial", "scale": "aerial",
    "drone": "drone", "map": "map",
}  # fmt: skip
"""The part of a sample whose terms hold for a picture."""


def join(tables: UnitTables, part: UnitPart, split: Split) -> Iterator[Sample]:
    """The samples of a unit's sites that are published, in the order of their ids.

    Args:
        tables: the unit's layers; each holds an ok row of every site of the part.
        part: which sites, and what of the build's settings stands in their rows.
        split: where they go.
    """
    wanted = pa.array(part.sites, type=pa.string())
    imagery, cues, captions = (
        table.filter(pc.is_in(table["site_id"], value_set=wanted))
        for table in (tables.imagery, tables.cues, tables.captions)
    )
    sites = {row.site_id: row for row in from_table(ImageryRow, imagery)}
    cue_rows = {row.site_id: row for row in from_table(CueRow, cues)}
    caption_rows = {row.site_id: row for row in from_table(CaptionRow, captions)}
    edited = {one.sample_id: one.edits for one in part.edited}
    for site_id in sorted(part.sites):
        caption = _edited(caption_rows[site_id], edited.get(site_id, []))
        yield _sample(sites[site_id], cue_rows[site_id], caption, part, split)


def pictures(sample: Sample) -> Iterator[tuple[Role, Image, StreetInfo | ChipInfo]]:
    """Each picture of a sample with its role and what is known of it. A picture without its record is left out."""
    columns: list[tuple[Role, Image | None, StreetInfo | ChipInfo | None]] = [
        ("street", sample.street, sample.street_view),
        ("panorama", sample.panorama, sample.panorama_view),
        ("aerial", sample.aerial, sample.aerial_chip),
        *(("scale", chip.image, chip) for chip in sample.aerial_scales),
        ("drone", sample.drone, sample.drone_chip),
        ("map", sample.map, sample.map_chip),
        *(("other", view.image, view) for view in sample.other_views),
    ]
    for role, image, info in columns:
        if image is not None and info is not None:
            yield role, image, info


def _edited(caption: CaptionRow, edits: Sequence[Edit]) -> CaptionRow:
    """The captions as a person left them."""
    if not edits:
        return caption
    texts = {edit.variant: edit.text for edit in edits} | {f"{edit.variant}_tokens": edit.tokens for edit in edits}
    return caption.model_copy(update={**texts, "sentences": replaced(caption.sentences, edits)})


def _sample(site: ImageryRow, cues: CueRow, caption: CaptionRow, part: UnitPart, split: Split) -> Sample:
    flat = [view for view in site.views if view.projection == "perspective"]
    panorama = next((view for view in site.views if view.projection == "equirectangular"), None)
    shown: dict[Part, list[Credit]] = {"street": [*flat, *([panorama] if panorama else [])], **chip_credits(site)}
    credited = [credit for views in shown.values() for credit in views]
    classes = {name: class_of(views) for name, views in shown.items()}
    if any(cue.kind == "map" for cue in cues.cues):
        stated = [part.map_licence] if part.map_licence is not None else [site.map.licence] if site.map else []
        classes["map_data"] = licence_class(stated)
    street_looks = _signatures(cues, flat[0].view_id)
    assert street_looks is not None
    assert caption.long is not None
    assert caption.short is not None
    return Sample(
        sample_id=site.site_id,
        region=site.region,
        unit=site.unit,
        split=split,
        lat=site.lat,
        lon=site.lon,
        geometry=point_wkb(site.lat, site.lon),
        bbox=BBox(xmin=site.lon, ymin=site.lat, xmax=site.lon, ymax=site.lat),
        weight=site.weight,
        synthetic=any(credit.source in part.synthetic for credit in credited),
        street=_named(flat[0].image, site, "street"),
        street_view=_street_info(flat[0]),
        panorama=_named(panorama.image, site, "panorama") if panorama else None,
        panorama_view=_street_info(panorama) if panorama else None,
        **chip_columns(site),
        other_views=[
            view.model_copy(
                update={
                    "image": _named(view.image, site, f"other-{i}"),
                    "truth": view.truth if view.source in part.synthetic else None,
                }
            )
            for i, view in enumerate(flat[1:], start=1)
        ],
        description=caption.long,
        description_short=caption.short,
        description_street=caption.street,
        description_tokens=caption.long_tokens,
        description_short_tokens=caption.short_tokens,
        description_street_tokens=caption.street_tokens,
        description_frame=caption.long_frame,
        description_short_frame=caption.short_frame,
        description_street_frame=caption.street_frame,
        language=caption.language,
        sentences=caption.sentences,
        cues=cues.cues,
        notes=caption.notes,
        street_signatures=street_looks,
        aerial_signatures=_signatures(cues, AERIAL),
        captioner=caption.captioner,
        prompt_set=caption.prompt_set,
        model=caption.model,
        licence_class=strictest(found for found in classes.values() if found is not None),
        street_licence_class=classes["street"],
        aerial_licence_class=classes["aerial"],
        drone_licence_class=classes["drone"],
        map_licence_class=classes["map"],
        map_data_licence_class=classes.get("map_data"),
        redistributable=all(credit.redistributable for credit in credited),
        missing=[Lacking(view=lacking.view, reason=lacking.reason) for lacking in site.missing],
    )


def chip_columns(site: ImageryRow) -> dict[str, Any]:
    """The columns of a sample that hold pictures from above and their metadata."""
    return {
        "aerial": _named(site.aerial.image, site, "aerial") if site.aerial else None,
        "aerial_chip": _chip_info(site.aerial) if site.aerial else None,
        "aerial_scales": [
            chip.model_copy(update={"image": _named(chip.image, site, f"scale-{i}")})
            for i, chip in enumerate(site.aerial_scales, start=1)
        ],
        "drone": _named(site.drone.image, site, "drone") if site.drone else None,
        "drone_chip": _chip_info(site.drone) if site.drone else None,
        "map": _named(site.map.image, site, "map") if site.map else None,
        "map_chip": _chip_info(site.map) if site.map else None,
    }


def chip_credits(site: ImageryRow) -> dict[Part, list[Credit]]:
    """Origins of the pictures from above, by part."""
    return {
        "aerial": [*([site.aerial] if site.aerial else []), *site.aerial_scales],
        "drone": [site.drone] if site.drone else [],
        "map": [site.map] if site.map else [],
    }


def class_of(views: Sequence[Credit]) -> LicenceClass | None:
    """Licence class of a part; None where there is nothing of it."""
    return licence_class([credit.licence for credit in views]) if views else None


def point_wkb(lat: float, lon: float) -> bytes:
    """Well-known binary, little-endian, of a point in OGC:CRS84 (longitude first)."""
    wkb: bytes = shapely.to_wkb(shapely.Point(lon, lat), byte_order=1)
    return wkb


def _named(image: Image, site: ImageryRow, what: str) -> Image:
    """The picture under a name that no other of the dataset has: tools that unpack a dataset name files by it."""
    return image.model_copy(update={"path": f"{site.site_id}-{what}{PurePosixPath(image.path).suffix}"})


def _signatures(cues: CueRow, view_id: str) -> Signatures | None:
    """The signatures of one picture; None where there is no such picture."""
    found = {signature.kind: signature.values for signature in cues.signatures if signature.view_id == view_id}
    return Signatures.model_validate(found) if found else None


def _street_info(view: StreetView) -> StreetInfo:
    return StreetInfo.model_validate(view.model_dump(exclude={"image", "truth"}))


def _chip_info(chip: Chip) -> ChipInfo:
    return ChipInfo.model_validate(chip.model_dump(exclude={"image"}))
