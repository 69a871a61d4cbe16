"""The samplers by name (`sampling.method`).

Each visits candidates in an order that depends only on seed, region and candidate, so that neither more sites nor
another region moves existing sites. The weight of a site is the inverse of the probability that a candidate becomes a
site, up to a factor that is constant within the region.

| method | candidates | unit of the weight |
|---|---|---|
| `imagery` | the street source's photos | photos |
| `uniform` | random points on land, with equal density | square metres of land |
| `grid` | a grid on land | square metres of land |
| `roads` | points along the map's roads | metres of road |

To add one: a module with a function from `Ground` to `Drawn`, and a line here.
"""

from collections.abc import Callable

from pipeline.regions.ground import Drawn, Ground
from pipeline.regions.samplers.grid import draw_on_grid
from pipeline.regions.samplers.imagery import draw_at_photos
from pipeline.regions.samplers.roads import draw_along_roads
from pipeline.regions.samplers.uniform import draw_uniformly

SAMPLERS: dict[str, Callable[[Ground], Drawn]] = {
    "imagery": draw_at_photos,
    "uniform": draw_uniformly,
    "grid": draw_on_grid,
    "roads": draw_along_roads,
}
"""Each raises `ConfigError` if it finds no candidate, and `SiteError` if a source cannot be reached."""
