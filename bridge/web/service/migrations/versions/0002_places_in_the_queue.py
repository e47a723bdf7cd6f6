"""Places in the queue, so that waiting jobs can be moved."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Change the tables."""
    op.add_column("jobs", sa.Column("place", sa.Double(), server_default="0", nullable=False))
    op.execute("UPDATE jobs SET place = created")
    op.drop_index("jobs_queue", "jobs")
    op.create_index("jobs_queue", "jobs", ["state", "priority", "place"])
