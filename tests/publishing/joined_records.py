"""The rows of a shard as records, one validated row after the other: what the columns of a join are held against."""

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.publishing.card_pictures import bin_of
from pipeline.publishing.counts import RunningCounts
from pipeline.publishing.decisions import Edit, replaced
from pipeline.publishing.distractors import Chosen
from pipeline.publishing.layout import columns, published_row
from pipeline.publishing.samples import PART_OF, pictures, point_wkb
from pipeline.publishing.units import UnitPart, UnitTables
from schemas.arrow import from_table
from schemas.licences import PARTS, LicenceClass, Part, licence_class, strictest
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
    Record,
    Sample,
    Signatures,
    Split,
    StreetInfo,
    StreetView,
)


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


def _named(image: Image, site: ImageryRow, what: str) -> Image:
    """The picture under a name that no other of the dataset has: tools that unpack a dataset name files by it."""
    return image.model_copy(update={"path": f"{site.site_id}-{what}{PurePosixPath(image.path).suffix}"})


def _signatures(cues: CueRow, view_id: str) -> Signatures | None:
    """Those of one picture; None where there is no such picture."""
    found = {signature.kind: signature.values for signature in cues.signatures if signature.view_id == view_id}
    return Signatures.model_validate(found) if found else None


def _street_info(view: StreetView) -> StreetInfo:
    return StreetInfo.model_validate(view.model_dump(exclude={"image", "truth"}))


def _chip_info(chip: Chip) -> ChipInfo:
    return ChipInfo.model_validate(chip.model_dump(exclude={"image"}))


class RecordCounts(RunningCounts):
    """The counts of a shard, taken of samples."""

    def add_sample(self, sample: Sample) -> None:
        """Count one sample."""
        self.regions[sample.region] += 1
        for role, _, info in pictures(sample):
            self.pictures.setdefault(f"{PART_OF[role]} {info.source}", Counter())[info.licence] += 1
        self.faces_blurred += sum(view.faces_blurred for view in (sample.street_view, *sample.other_views))
        self.faces_blurred += sample.panorama_view.faces_blurred if sample.panorama_view else 0
        self.synthetic += sample.synthetic
        nullable = {
            "panorama": sample.panorama,
            "aerial": sample.aerial,
            "drone": sample.drone,
            "map": sample.map,
            "street_view.heading_deg": sample.street_view.heading_deg,
            "street_view.captured_at": sample.street_view.captured_at,
        }
        self.absent.update({name: int(value is None) for name, value in nullable.items()})
        self.missing.update({f"{lacking.view}: {lacking.reason}" for lacking in sample.missing})
        self.captioners[", ".join(part for part in (sample.captioner, sample.prompt_set, sample.model) if part)] += 1
        self.languages[sample.language] += 1
        self.licence_classes[sample.licence_class] += 1
        for part in PARTS:
            found = getattr(sample, f"{part}_licence_class")
            if found is not None:
                self.part_classes.setdefault(part, Counter())[found] += 1
        taken = sample.street_view.captured_at
        numbers = {
            "description_tokens": sample.description_tokens,
            "cues": len(sample.cues),
            "distance_m": sample.street_view.distance_m,
            "captured": taken.year if taken else None,
        }
        for name, number in numbers.items():
            found = "unknown" if number is None else bin_of(name, number)
            self.histograms.setdefault(name, Counter())[found] += 1
        self.not_redistributable += not sample.redistributable


def distractor_rows(chosen: Chosen) -> Iterator[dict[str, Any]]:
    """The rows of a unit's distractors."""
    imagery = chosen.unit.load().imagery
    wanted = imagery.filter(pc.is_in(imagery["site_id"], value_set=pa.array(chosen.sites, pa.string())))
    absent: dict[str, Any] = {field.name: [] if pa.types.is_list(field.type) else None for field in columns()}
    for site in sorted(from_table(ImageryRow, wanted), key=lambda site: site.site_id):
        shown = chip_credits(site)
        credited = [credit for views in shown.values() for credit in views]
        classes = {part: class_of(views) for part, views in shown.items()}
        yield published_row(
            absent
            | {name: _dumped(value) for name, value in chip_columns(site).items()}
            | {f"{part}_licence_class": found for part, found in classes.items()}
            | {
                "sample_id": site.site_id, "region": site.region, "unit": site.unit, "split": chosen.split,
                "lat": site.lat, "lon": site.lon, "geometry": point_wkb(site.lat, site.lon),
                "bbox": BBox(xmin=site.lon, ymin=site.lat, xmax=site.lon, ymax=site.lat).model_dump(),
                "weight": 0.0, "synthetic": any(credit.source in chosen.synthetic for credit in credited),
                "licence_class": strictest(found for found in classes.values() if found is not None),
                "redistributable": all(credit.redistributable for credit in credited),
                "missing": [{"view": one.view, "reason": one.reason} for one in site.missing],
                "description_tokens": 0, "description_short_tokens": 0, "description_street_tokens": 0,
            }
        )  # fmt: skip


def _dumped(value: Record | Sequence[Record] | None) -> Any:
    if isinstance(value, Record):
        return value.model_dump()
    return None if value is None else [one.model_dump() for one in value]
