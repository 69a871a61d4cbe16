"""A local server that plays Panoramax, Mapillary, KartaView, Street View's metadata, tile servers and Overpass.

It is a stand-in and no more. Its pictures are drawn (a made-up town; real ones of a corpus if given), its accounts are
called `standin-...`, and no number measured against it stands for one of a real service. Its answers follow what the
providers document, or what was seen of them; each module says what of it is documented and what is unchecked. It
listens on this machine only: APIs on a port, pictures on the next (as the real ones lie on other hosts), and on the one
after a trap, where only redirects of a fault lead.

Start it with `python -m tools.dev.standin`, or in a program with `running`. `configs/standin-*.yaml` build against it.
What can go wrong: `python -m tools.dev.standin --list-faults`. A plan is YAML, see `fault_rules.Plan`:

    rules:
      - match: {provider: mapillary, part: listing, tries: [1]}
        fault: server_error
      - match: {part: picture, share: 0.1}
        fault: undecodable
    share: 0.05
"""

from tools.dev.standin.fault_rules import Limit, Match, Plan, Rule
from tools.dev.standin.faults import FAULTS, Fault, Kind, Part, Provider
from tools.dev.standin.log import Entry, fastest_rate, keys_in_urls, max_in_flight, read_log, repeats
from tools.dev.standin.running import Running, running

__all__ = [
    "FAULTS",
    "Entry",
    "Fault",
    "Kind",
    "Limit",
    "Match",
    "Part",
    "Plan",
    "Provider",
    "Rule",
    "Running",
    "fastest_rate",
    "keys_in_urls",
    "max_in_flight",
    "read_log",
    "repeats",
    "running",
]
