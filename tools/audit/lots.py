"""Acceptance sampling: of each lot at most n samples are judged, and it is accepted if at most c of them are bad.

The decision is the same as that after all n, and it is known earlier: when more than c are bad, or when so many are
good that no more than c can be bad (curtailed single sampling, Duncan 1986, chapter 7). The share of bad samples of a
lot that stopped early is no unbiased estimate; the report says which did.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, select

from tools.audit.database.tables import tasks
from tools.audit.log import Event


@dataclass(frozen=True)
class Lot:
    """The samples of a region that a plan judges."""

    name: str
    n: int
    """Samples to judge at most."""
    c: int
    """Bad ones that are still accepted."""
    good: int
    bad: int

    @property
    def outcome(self) -> Literal["accepted", "rejected", "open"]:
        """What is known of it by now."""
        if self.bad > self.c:
            return "rejected"
        return "accepted" if self.good >= self.n - self.c else "open"


def lots_of(connection: Connection, plan: str, c: int, decided: dict[str, Event]) -> list[Lot]:
    """The lots of a plan, by name.

    Args:
        connection: to the database.
        plan: its name.
        c: acceptance number.
        decided: the decisions in force (`tools.audit.log.standing`).
    """
    query = (
        select(tasks.c.task_id, tasks.c.region)
        .where(tasks.c.plan == plan, tasks.c.question == "judge", tasks.c.slot == 0)
        .where(tasks.c.planted.is_(None), tasks.c.gold.is_(None), tasks.c.state.in_(["open", "decided"]))
    )
    counts: dict[str, list[int]] = {}
    for row in connection.execute(query):
        count = counts.setdefault(row.region, [0, 0, 0])
        count[0] += 1
        event = decided.get(row.task_id)
        if event is not None:
            count[1 + (event.payload["verdict"] != "accept")] += 1
    return [Lot(name, n, c, good, bad) for name, (n, good, bad) in sorted(counts.items())]
