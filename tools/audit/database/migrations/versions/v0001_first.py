"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables, and the first link of the log's chain."""
    op.create_table(
        "settings", sa.Column("key", sa.Text, primary_key=True), sa.Column("value", sa.Text, nullable=False)
    )
    op.create_table(
        "people",
        sa.Column("alias", sa.Text, primary_key=True),
        sa.Column("role", sa.Text, nullable=False),
        sa.Column("token_sha256", sa.Text, unique=True),
    )
    op.create_table(
        "plans", sa.Column("plan", sa.Text, primary_key=True), sa.Column("definition", sa.Text, nullable=False)
    )
    op.create_table(
        "tasks",
        sa.Column("task_id", sa.Text, primary_key=True),
        sa.Column("plan", sa.Text, sa.ForeignKey("plans.plan"), nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("sample_id", "region", "split", "writer", "question")),
        sa.Column("slot", sa.Integer, nullable=False),
        sa.Column("text_sha256", sa.Text, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("planted", sa.Text),
        sa.Column("gold", sa.Text),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("lease_by", sa.Text),
        sa.Column("lease_until", sa.Float),
        sa.Column("decided_by", sa.Text),
        sa.Column("decided_seq", sa.Integer),
    )
    op.create_index("tasks_next", "tasks", ["state", "plan", "position"])
    op.create_index("tasks_sample", "tasks", ["sample_id", "question"])
    op.create_index("tasks_lease", "tasks", ["lease_by"])
    op.create_table(
        "skips",
        sa.Column("task_id", sa.Text, sa.ForeignKey("tasks.task_id"), primary_key=True),
        sa.Column("alias", sa.Text, primary_key=True),
    )
    op.create_table(
        "events",
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("at", sa.Text, nullable=False),
        sa.Column("alias", sa.Text, nullable=False),
        sa.Column("action", sa.Text, nullable=False),
        sa.Column("task_id", sa.Text),
        sa.Column("decision_id", sa.Text, unique=True),
        sa.Column("undoes", sa.Integer, unique=True),
        *(sa.Column(name, sa.Text, nullable=False) for name in ("payload", "previous", "hash")),
    )
    op.create_index("events_task", "events", ["task_id"])
    op.create_index("events_alias", "events", ["alias", "seq"])
    op.execute(sa.text("INSERT INTO settings (key, value) VALUES ('head', '')"))
