"""what was shared

Revision: 0015, after 0014
"""

import sqlalchemy as sa
from alembic import op


revision = '0015'
down_revision = '0014'
branch_labels = None
depends_on = None


def upgrade():
    for table in ('dataset', 'training'):
        op.add_column(table, sa.Column('shared', sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade():
    for table in ('dataset', 'training'):
        with op.batch_alter_table(table) as batch:
            batch.drop_column('shared')
