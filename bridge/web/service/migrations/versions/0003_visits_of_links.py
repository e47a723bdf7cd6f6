"""Visits of share links."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Change the tables."""
    op.add_column("shares", sa.Column("visits", sa.Integer(), server_default="0", nullable=False))
