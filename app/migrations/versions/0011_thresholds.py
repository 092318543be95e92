"""the thresholds that were chosen for a model

Revision: 0011, after 0010
"""

import sqlite3

import sqlalchemy as sa
from alembic import op


revision = '0011'
down_revision = '0010'
branch_labels = None
depends_on = None


def can_drop_columns():
    """SQLite can since 3.35; RHEL 9 and Debian 11 have 3.34."""
    return op.get_bind().dialect.name != 'sqlite' or sqlite3.sqlite_version_info >= (3, 35)


def upgrade():
    if 'thresholds' not in {column['name'] for column in sa.inspect(op.get_bind()).get_columns('training')}:
        op.add_column('training', sa.Column('thresholds', sa.Text(), nullable=True))


def downgrade():
    # Not in batch mode: SQLite would copy the table, and dropping the old one would take along what belongs to it.
    if can_drop_columns():  # else it stays, and nobody reads it
        op.drop_column('training', 'thresholds')
