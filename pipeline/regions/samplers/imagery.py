"""Sites at the street source's photos."""

from collections import Counter

import numpy as np

from pipeline.digest import digest
from pipeline.regions.ground import Drawn, Ground, nothing_in
from pipeline.regions.thinning import caps_of_photos, thin


def draw_at_photos(ground: Ground) -> Drawn:
    """Sites at the positions of photos, in the order of a digest of (seed, region, photo id).

    The weight of a site is the number of photos that it stands for: itself and those it excluded, scaled up to all
    photos if `max_sites` ended the visit early. Photos that the source marks as unusable are left out.

    Raises:
        ConfigError: the source has no usable photo in the region; `NothingThereError` for a source on the network.
        SiteError: the source could not be reached.
    """
    name = ground.region.name
    photos = [photo for photo in ground.photos if photo.unusable is None]
    if not photos:
        found = f"no photo of the street source {ground.street.name} within {name}"
        if ground.photos:
            unusable = Counter(photo.unusable[0] for photo in ground.photos if photo.unusable)
            found += " that may be used (" + ", ".join(f"{n} {reason}" for reason, n in sorted(unusable.items())) + ")"
        raise nothing_in(ground, ground.street, found)
    photos.sort(key=lambda photo: (digest(ground.seed, name, photo.source_id, length=32), photo.source_id))
    lon, lat = np.array([p.position.lon for p in photos]), np.array([p.position.lat for p in photos])
    thinned = thin(
        *ground.frame.to_metres(lon, lat),
        ground.sampling.spacing_m,
        ground.sampling.max_sites,
        caps_of_photos(ground, photos),
    )
    weight = thinned.stands_for(np.ones(thinned.visited)) * (len(photos) / thinned.visited)
    return Drawn(lon[thinned.taken], lat[thinned.taken], weight, [photos[i].source_id for i in thinned.taken])
