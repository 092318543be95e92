"""which data folder the database belongs to"""

import sqlalchemy as sa
from alembic import op

revision = '0005'
down_revision = '0004'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('installation',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('uuid', sa.String(length=32), nullable=False),
    sa.Column('last_dataset', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_training', sa.Integer(), server_default='0', nullable=False),
    sa.Column('last_test', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_installation'))
    )


def downgrade():
    op.drop_table('installation')
