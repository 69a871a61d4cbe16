"""The tables of the desk's database. The migrations make them (`migrations/versions`); a test compares the two.

`events` is the record: append-only, each row with the hash of the one before it. `tasks` and `skips` hold the state
that follows from it, so that the next task is found quickly; both are written in one transaction.
"""

from sqlalchemy import Column, Float, ForeignKey, Index, Integer, MetaData, Table, Text

metadata = MetaData()

settings = Table(
    "settings",
    metadata,
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)
"""`dataset`, `revision`, `secret` (signs cookies) and `head`: the hash of the last event, locked by every writer."""

people = Table(
    "people",
    metadata,
    Column("alias", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("token_sha256", Text, unique=True),
)

plans = Table(
    "plans",
    metadata,
    Column("plan", Text, primary_key=True),
    Column("definition", Text, nullable=False),  # JSON of `tools.audit.plans.Plan`
)

tasks = Table(
    "tasks",
    metadata,
    Column("task_id", Text, primary_key=True),
    Column("plan", Text, ForeignKey("plans.plan"), nullable=False),
    Column("position", Integer, nullable=False),
    Column("sample_id", Text, nullable=False),
    Column("region", Text, nullable=False),
    Column("split", Text, nullable=False),
    Column("writer", Text, nullable=False),  # captioner, prompt set and model
    Column("question", Text, nullable=False),
    Column("slot", Integer, nullable=False),  # 0, and 1 for the second of two people who judge blind
    Column("text_sha256", Text, nullable=False),
    Column("shown", Text, nullable=False),  # JSON: options of `which` and `alike`; {} for the others
    Column("planted", Text),  # JSON of `Planted`
    Column("gold", Text),  # the verdict that is known to be right
    Column("state", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("lease_by", Text),
    Column("lease_until", Float),  # seconds since 1970
    Column("decided_by", Text),
    Column("decided_seq", Integer),
    Index("tasks_next", "state", "plan", "position"),
    Index("tasks_sample", "sample_id", "question"),
    Index("tasks_lease", "lease_by"),
)

skips = Table(
    "skips",
    metadata,
    Column("task_id", Text, ForeignKey("tasks.task_id"), primary_key=True),
    Column("alias", Text, primary_key=True),
)

events = Table(
    "events",
    metadata,
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("at", Text, nullable=False),  # ISO 8601, UTC
    Column("alias", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("task_id", Text),
    Column("decision_id", Text, unique=True),
    Column("undoes", Integer, unique=True),  # an event is undone once
    Column("payload", Text, nullable=False),  # JSON
    Column("previous", Text, nullable=False),  # hash of the event before
    Column("hash", Text, nullable=False),
    Index("events_task", "task_id"),
    Index("events_alias", "alias", "seq"),
)
