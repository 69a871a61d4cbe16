"""A contact sheet: several places of a dataset, one per row, showing only what is in the samples."""

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Sequence

from PIL import Image

from pipeline.publishing.samples import pictures
from schemas.records import Sample
from tools.dataset import Dataset
from tools.inspect.pictures.drawing import beside, empty_frame, fitted, heading, on_paper, stack
from tools.inspect.pictures.lettering import MUTED, Style, flow, undrawable
from tools.inspect.pictures.views import chip_with_camera, picture
from tools.inspect.show import place_line, street_line

WIDTH = 1536
"""Width in pixels, without margins."""
_MARGIN = 32
_GAP = 20
_STREET = (420, 315)
_CHIP = 315
_TEXT = WIDTH - _STREET[0] - 2 * _CHIP - 3 * _GAP


def contact_sheet(samples: Sequence[Sample]) -> Image.Image:
    """A picture 1600 px wide: street view, aerial chip, map chip, description and credits of each sample."""
    blocks = [_row(sample) for sample in samples] or [flow("This dataset holds no sample.", WIDTH)]
    if undrawable(text for sample in samples for text in _texts(sample)):
        blocks.append(flow("The font lacks the letters shown as an empty box.", WIDTH, _small()))
    return on_paper(stack(blocks, 36), _MARGIN)


def pick(dataset: Dataset, n: int) -> list[Sample]:
    """Select `n` samples (all if there are fewer), spread over regions and splits; always the same ones.

    Within a region and split the order is that of a hash of the ids, so neighbours do not come together.
    """
    groups: dict[tuple[str, str], list[tuple[int, str]]] = defaultdict(list)
    for row in dataset.rows(["sample_id", "region", "split"]):
        group = groups[row["region"], row["split"]]
        digest = hashlib.blake2b(row["sample_id"].encode(), digest_size=8).digest()
        heapq.heappush(group, (-int.from_bytes(digest), row["sample_id"]))
        if len(group) > n:
            heapq.heappop(group)  # the greatest hash, so that the n least stay
    waiting = {key: sorted(group) for key, group in sorted(groups.items())}
    taken: Counter[str] = Counter()
    picked: list[str] = []
    while len(picked) < n and any(waiting.values()):
        open_groups = [key for key, group in waiting.items() if group]
        region, split = min(open_groups, key=lambda key: (taken[f"r {key[0]}"] + taken[f"s {key[1]}"], key))
        picked.append(waiting[region, split].pop()[1])
        taken.update([f"r {region}", f"s {split}"])
    return dataset.samples(picked)


def _row(sample: Sample) -> Image.Image:
    street = fitted(picture(sample.street, "no street view here"), *_STREET)
    left = stack([street, flow(street_line(sample.street_view), _STREET[0], _small())], 6)
    chips = []
    for name, image, info in (("aerial", sample.aerial, sample.aerial_chip), ("map", sample.map, sample.map_chip)):
        if image is None or info is None:
            chips.append(empty_frame((_CHIP, _CHIP), f"no {name} view here"))
        else:
            chips.append(chip_with_camera(picture(image, ""), info, sample, [], _CHIP))
    text = flow(sample.description, _TEXT, Style(size=16))
    title = heading(f"{sample.sample_id}  ·  {place_line(sample)}", WIDTH, 18)
    return stack([title, beside([left, *chips, text], _GAP), flow(_credit_line(sample), WIDTH, _small())], 10)


def _credit_line(sample: Sample) -> str:
    """Credits of the pictures in the row. Those of other views are not shown."""
    return "Pictures:  " + ";  ".join(
        f"{role} by {info.author} ({info.licence}, {info.link})"
        for role, _, info in pictures(sample)
        if role in ("street", "aerial", "map")
    )


def _texts(sample: Sample) -> list[str]:
    return [sample.sample_id, sample.description, _credit_line(sample)]


def _small() -> Style:
    return Style(size=13, colour=MUTED)
