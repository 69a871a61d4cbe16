"""Acceptance sampling: of each lot at most n samples are judged, and it is accepted if at most c of them are bad.

The decision is the same as that after all n, and it is known earlier: when more than c are bad, or when so many are
good that no more than c can be bad (curtailed single sampling, Duncan 1986, chapter 7). The share of bad samples of a
lot that stopped early is no unbiased estimate; the report says which did.
"""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import Connection, case, func, select

from tools.audit.database.tables import events, tasks
from tools.audit.records import says


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
        """The outcome so far."""
        if self.bad > self.c:
            return "rejected"
        return "accepted" if self.good >= self.n - self.c else "open"


def lots_of(connection: Connection, plan: str, c: int) -> list[Lot]:
    """The lots of a plan, by name, counted by the database: no event is read that is not of this plan.

    Args:
        connection: to the database.
        plan: its name.
        c: acceptance number.
    """
    bad = events.c.seq.is_not(None) & ~events.c.payload.contains(says("accept"), autoescape=True)
    query = (
        select(tasks.c.region, func.count(), func.count(events.c.seq), func.sum(case((bad, 1), else_=0)))
        .select_from(tasks.outerjoin(events, events.c.seq == tasks.c.decided_seq))
        .where(tasks.c.plan == plan, tasks.c.question == "judge", tasks.c.slot == 0)
        .where(tasks.c.planted.is_(None), tasks.c.gold.is_(None), tasks.c.state.in_(["open", "decided"]))
        .group_by(tasks.c.region)
        .order_by(tasks.c.region)
    )
    return [Lot(name, n, c, judged - bad, bad) for name, n, judged, bad in connection.execute(query).all()]
