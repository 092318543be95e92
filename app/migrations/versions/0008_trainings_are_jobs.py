"""trainings are jobs: what a job waits for; the process of a training is found by its folder

Revision: 0008, after 0007

A training that has not ended gets its job at the start of the server, see services/trainer/jobs.py.
"""

import sqlite3

import sqlalchemy as sa
from alembic import op


revision = '0008'
down_revision = '0007'
branch_labels = None
depends_on = None


def can_drop_columns():
    """SQLite can since 3.35; RHEL 9 and Debian 11 have 3.34."""
    return op.get_bind().dialect.name != 'sqlite' or sqlite3.sqlite_version_info >= (3, 35)


def upgrade():
    op.add_column('job', sa.Column('waiting_for', sa.Text(), nullable=True))
    # Not in batch mode: SQLite would copy the table, and dropping the old one would take along what belongs to it.
    if can_drop_columns():  # else they stay, and nobody reads them
        op.drop_column('training', 'pid')
        op.drop_column('training', 'pid_started')


def downgrade():
    # The version before doesn't know these kinds, and would leave the paused ones for the next upgrade to find.
    op.execute("DELETE FROM job WHERE kind IN ('training', 'evaluate_best', 'estimate')")
    if 'pid' not in {column['name'] for column in sa.inspect(op.get_bind()).get_columns('training')}:
        op.add_column('training', sa.Column('pid', sa.Integer(), nullable=True))
        op.add_column('training', sa.Column('pid_started', sa.Float(precision=53), nullable=True))
    with op.batch_alter_table('job') as batch_op:
        batch_op.drop_column('waiting_for')
