"""time trained

Revision: 0004, after 0003
"""

import sqlalchemy as sa
from alembic import op


revision = '0004'
down_revision = '0003'
branch_labels = None
depends_on = None


def upgrade():
    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.add_column(sa.Column('training_seconds', sa.Float(precision=53), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('seconds_before', sa.Float(precision=53), server_default='0', nullable=False))

    # Of trainings before this version only their epochs are known.
    epochs = "(SELECT coalesce(sum(seconds), 0) FROM training_metric WHERE training_metric.training_id = training.id)"
    op.execute(f"UPDATE training SET training_seconds = {epochs}, seconds_before = {epochs}")


def downgrade():
    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.drop_column('seconds_before')
        batch_op.drop_column('training_seconds')
