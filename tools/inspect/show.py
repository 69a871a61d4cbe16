"""A sample for people: a picture with all annotations, and the same as plain text."""

from collections.abc import Iterator, Sequence

from PIL import Image
from rich.cells import cell_len

from pipeline.publishing.samples import pictures
from schemas.records import ChipInfo, Cue, Sample, Sentence, StreetInfo
from tools.inspect.pictures.drawing import Column, beside, empty_frame, fitted, heading, on_paper, stack, swatch, table
from tools.inspect.pictures.lettering import MUTED, PAPER, Colour, Style, flow, printable, undrawable
from tools.inspect.pictures.views import KIND_COLOURS, chip_with_camera, label_colours, picture, street_with_cues

WIDTH = 1536
"""Width in pixels, without margins."""
_MARGIN = 32
_GAP = 24
_MAIN = 1016
_SIDE = WIDTH - _MAIN - _GAP
_SMALL = Style(size=14, colour=MUTED)
_CUE_COLUMNS = (
    Column("id", 62),
    Column("kind", 76),
    Column("what", 220),
    Column("text or name", 330),
    Column("where", 140),
    Column("bearing", 90),
    Column("distance", 96),
    Column("confidence", 104),
    Column("source", 218),
    Column("lasting", 80),
    Column("view", 120),
)
_CREDIT_COLUMNS = (
    Column("picture", 170),
    Column("author", 390),
    Column("licence", 190),
    Column("link", 470),
    Column("source", 316),
)
_WIDEST = 60
"""Maximum width of a column of the text output, in characters. A longer cell shifts the rest of its line."""
_COMPASS = ("north", "north-east", "east", "south-east", "south", "south-west", "west", "north-west")


def render_sample(sample: Sample) -> Image.Image:
    """A page 1600 px wide: views with cues and camera, description, evidence and credits."""
    street, notes = _street(sample)
    others, other_notes = _other_views(sample)
    notes += other_notes
    blocks = [_header(sample), street, *others, _from_above(sample)]
    blocks += [_description(sample, WIDTH), _cues(sample), _credits(sample)]
    if undrawable(_texts(sample)):
        notes.append("The font lacks the letters shown as an empty box; they stand right in the text output.")
    blocks += [flow(note, WIDTH, _SMALL) for note in notes]
    return on_paper(stack(blocks, _GAP), _MARGIN)


def describe_sample(sample: Sample) -> str:
    """The sample as plain text. Control characters, which could affect a terminal, are escaped."""
    lines = [sample.sample_id, *_facts(sample), ""]
    for role, info in _described_views(sample):
        lines += [f"{role}: {info}"]
    lines += ["", *_plain_sentences("Description", sample.description_tokens, 300, sample, "long"), ""]
    lines += [*_plain_sentences("Short", sample.description_short_tokens, 77, sample, "short"), ""]
    if sample.description_street:
        lines += [*_plain_sentences("Street alone", sample.description_street_tokens, 300, sample, "street"), ""]
    lines += ["Cues", *_plain_table(_CUE_COLUMNS, [_cue_cells(cue) for cue in sample.cues]), ""]
    lines += ["Credits", *_plain_table(_CREDIT_COLUMNS, _credit_cells(sample))]
    return "\n".join(printable(line).rstrip() for line in lines) + "\n"


def place_line(sample: Sample) -> str:
    """Region, split and position in one line."""
    drawn = ["synthetic: drawn, not taken"] if sample.synthetic else []
    parts = [f"region {sample.region}", f"split {sample.split}", f"{sample.lat:.6f}, {sample.lon:.6f}", *drawn]
    return "  ·  ".join(parts)


def street_line(view: StreetInfo) -> str:
    """A street view's geometry in one line."""
    if view.heading_deg is None:
        parts = ["heading unknown"]
    else:
        parts = [f"looking {compass_point(view.heading_deg)} ({view.heading_deg:.0f}°)"]
    parts.append("field of view unknown" if view.hfov_deg is None else f"field of view {view.hfov_deg:.0f}°")
    parts.append(f"{view.distance_m:.1f} m from the site")
    if view.captured_at is not None:
        parts.append(f"taken {view.captured_at:%Y-%m-%d}")
    return ", ".join([f"view {view.view_id}", *parts])


def chip_line(chip: ChipInfo) -> str:
    """The properties of a chip in one line."""
    parts = [f"{chip.gsd_m:g} m per pixel", f"{chip.width * chip.gsd_m:.0f} m across", f"covered {chip.covered:.0%}"]
    if chip.captured_at is not None:
        parts.append(f"of {chip.captured_at:%Y-%m-%d}")
    return ", ".join(parts)


def compass_point(bearing_deg: float) -> str:
    """The nearest of the eight compass points."""
    return _COMPASS[round(bearing_deg / 45) % 8]


def _facts(sample: Sample) -> list[str]:
    writer = ", ".join(part for part in (sample.captioner, sample.prompt_set, sample.model) if part)
    return [
        place_line(sample),
        f"unit {sample.unit}  ·  stands for {sample.weight:g} candidates  ·  licence class {sample.licence_class}",
        f"described by {writer}  ·  language {sample.language}",
    ]


def _header(sample: Sample) -> Image.Image:
    title = flow(sample.sample_id, WIDTH, Style(size=32, bold=True))
    return stack([title, *(flow(line, WIDTH, Style(size=17, colour=MUTED)) for line in _facts(sample))], 2)


def _street(sample: Sample) -> tuple[Image.Image, list[str]]:
    view = picture(sample.street, "no street view here")
    shown, notes = street_with_cues(view, sample.street_view.view_id, sample.cues, _MAIN, 1000)
    left = stack([shown, flow(street_line(sample.street_view), _MAIN, _SMALL)], 6)
    here = [cue for cue in sample.cues if cue.view_id == sample.street_view.view_id]
    legend = [heading("Text and objects in this view", _SIDE, 18)]
    for cue in here:
        if cue.kind == "text":
            words = f"{cue.cue_id}  {cue.text or ''}" + (f" ({cue.text_en})" if cue.text_en else "")
            legend.append(_legend_line(KIND_COLOURS["text"], words))
    for label, colour in label_colours(sample.cues).items():
        ids = [cue.cue_id for cue in here if cue.kind == "object" and cue.label == label]
        if ids:
            legend.append(_legend_line(colour, f"{label}  {' '.join(ids)}"))
    if len(legend) == 1:
        legend.append(flow("nothing", _SIDE, _SMALL))
    return beside([left, stack(legend, 6)], _GAP), notes


def _legend_line(colour: Colour, words: str) -> Image.Image:
    text = flow(words, _SIDE - 28, Style(size=16))
    return beside([stack([Image.new("RGB", (16, 3), PAPER), swatch(colour)], 0), text], 12)


def _other_views(sample: Sample) -> tuple[list[Image.Image], list[str]]:
    cells, blocks = [], []
    notes: list[str] = []
    width = (WIDTH - 3 * _GAP) // 4
    for view in sample.other_views:
        shown, faults = street_with_cues(picture(view.image, ""), view.view_id, sample.cues, width, width)
        notes += faults
        cells.append(stack([shown, flow(street_line(view), width, _SMALL)], 6))
    if cells:
        rows = [beside(cells[i : i + 4], _GAP) for i in range(0, len(cells), 4)]
        blocks.append(stack([heading("Other views", WIDTH), *rows], 12))
    if sample.panorama_view is not None:
        shown = fitted(picture(sample.panorama, "no panorama here"), _MAIN, _MAIN)
        words = flow(street_line(sample.panorama_view), _SIDE, _SMALL)
        blocks.append(stack([heading("Panorama", WIDTH), beside([shown, words], _GAP)], 12))
    return blocks, notes


def _from_above(sample: Sample) -> Image.Image:
    side = (WIDTH - _GAP) // 2
    halves = []
    for name, image, info in (("Aerial", sample.aerial, sample.aerial_chip), ("Map", sample.map, sample.map_chip)):
        if image is None or info is None:
            shown, words = empty_frame((side, side), f"no {name.lower()} view here"), ""
        else:
            shown = chip_with_camera(picture(image, ""), info, sample, sample.cues, side)
            words = f"{chip_line(info)}. Orange: camera. Blue: map cues. White: the site, if not the camera's."
        halves.append(stack([heading(name, side), shown, flow(words, side, _SMALL)], 8))
    return stack([beside(halves, _GAP), *_closer(sample)], _GAP)


def _closer(sample: Sample) -> list[Image.Image]:
    """The drone chip and the further aerial chips in a strip, if there are any."""
    width = (WIDTH - 3 * _GAP) // 4
    drone = [("Drone", sample.drone, sample.drone_chip)] if sample.drone is not None else []
    cells = []
    for name, image, info in [*drone, *(("Aerial", chip.image, chip) for chip in sample.aerial_scales)]:
        assert image is not None
        assert info is not None
        title = heading(f"{name}, {info.width * info.gsd_m:.0f} m", width, 18)
        shown = fitted(picture(image, ""), width, width)
        cells.append(stack([title, shown, flow(chip_line(info), width, _SMALL)], 6))
    return [beside(cells[i : i + 4], _GAP) for i in range(0, len(cells), 4)]


def _description(sample: Sample, width: int) -> Image.Image:
    blocks = []
    for title, text, tokens, limit, variant in (
        ("Description", sample.description, sample.description_tokens, 300, "long"),
        ("Short description", sample.description_short, sample.description_short_tokens, 77, "short"),
        ("Description of the street alone", sample.description_street, sample.description_street_tokens, 300, "street"),
    ):
        if text is None:
            continue
        pieces: list[tuple[str, Style]] = []
        for sentence in _sentences(sample, variant) or [Sentence(variant="long", text=text, cue_ids=[])]:
            pieces.append((sentence.text, Style(size=20)))
            if sentence.cue_ids:
                pieces.append((f"[{' '.join(sentence.cue_ids)}]", Style(size=15, colour=MUTED)))
        blocks.append(stack([heading(f"{title} ({tokens} of at most {limit} tokens)", width), flow(pieces, width)], 8))
    return stack(blocks, _GAP)


def _cues(sample: Sample) -> Image.Image:
    rows = [_cue_cells(cue) for cue in sample.cues]
    return stack([heading(f"Evidence: {len(rows)} cues", WIDTH), table(_CUE_COLUMNS, rows)], 8)


def _credits(sample: Sample) -> Image.Image:
    return stack([heading("Credits", WIDTH), table(_CREDIT_COLUMNS, _credit_cells(sample))], 8)


def _cue_cells(cue: Cue) -> list[str]:
    text = cue.text or ""
    return [
        cue.cue_id,
        cue.kind,
        " ".join(part for part in (cue.attribute, cue.label, f"({cue.category})" if cue.category else None) if part),
        text + (f" ({cue.text_en})" if cue.text_en and cue.text_en != text else ""),
        ", ".join(part for part in (cue.position, cue.depth) if part),
        "" if cue.bearing_deg is None else f"{cue.bearing_deg:.0f}°",
        "" if cue.distance_m is None else f"{cue.distance_m:.0f} m",
        f"{cue.confidence:.2f}",
        cue.source,
        "yes" if cue.lasting else "no",
        cue.view_id or "",
    ]


def _credit_cells(sample: Sample) -> list[list[str]]:
    return [
        [
            f"{role} {info.view_id}" if isinstance(info, StreetInfo) else role,
            info.author,
            info.licence,
            info.link,
            f"{info.source} {info.source_id}",
        ]
        for role, _, info in pictures(sample)
    ]


def _described_views(sample: Sample) -> Iterator[tuple[str, str]]:
    for role, _, info in pictures(sample):
        yield role, street_line(info) if isinstance(info, StreetInfo) else chip_line(info)
    for role, image in (("aerial", sample.aerial), ("map", sample.map)):
        if image is None:
            yield role, f"no {role} view here"


def _sentences(sample: Sample, variant: str) -> list[Sentence]:
    return [sentence for sentence in sample.sentences if sentence.variant == variant]


def _plain_sentences(title: str, tokens: int, limit: int, sample: Sample, variant: str) -> list[str]:
    lines = [f"{title} ({tokens} of at most {limit} tokens)"]
    return lines + [f"  {s.text} [{' '.join(s.cue_ids)}]" for s in _sentences(sample, variant)]


def _plain_table(columns: Sequence[Column], rows: Sequence[Sequence[str]]) -> list[str]:
    cells = [[column.title for column in columns], *([printable(cell) for cell in row] for row in rows)]
    widths = [min(_WIDEST, max(cell_len(row[i]) for row in cells)) for i in range(len(columns))]
    return [
        "  " + "  ".join(cell + " " * (wide - cell_len(cell)) for cell, wide in zip(row, widths, strict=True))
        for row in cells
    ]


def _texts(sample: Sample) -> Iterator[str]:
    """All texts of the picture that come from outside."""
    yield from (sample.sample_id, sample.description, sample.description_short, sample.description_street or "")
    for row in (*map(_cue_cells, sample.cues), *_credit_cells(sample)):
        yield from row
