"""workers of DISPATCH=rq

Revision: 0016, after 0015
"""

import sqlalchemy as sa
from alembic import op


revision = '0016'
down_revision = '0015'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'worker',
        sa.Column('name', sa.String(length=80), nullable=False),
        sa.Column('host', sa.String(length=255), nullable=False),
        sa.Column('pid', sa.Integer(), nullable=False),
        sa.Column('devices', sa.Text(), nullable=False),
        sa.Column('about', sa.Text(), nullable=False),
        sa.Column('state', sa.String(length=10), nullable=False),
        sa.Column('job_id', sa.Integer(), nullable=True),
        sa.Column('started_at', sa.DateTime(), nullable=False),
        sa.Column('heartbeat_at', sa.DateTime(), nullable=False),
        sa.PrimaryKeyConstraint('name', name=op.f('pk_worker')),
    )
    op.create_index(op.f('ix_worker_job_id'), 'worker', ['job_id'])
    op.add_column('job', sa.Column('delivered_to', sa.String(length=20), nullable=True))
    op.create_index('ix_job_delivered_to', 'job', ['status', 'delivered_to', 'priority', 'position'])


def downgrade():
    op.drop_index('ix_job_delivered_to', 'job')
    with op.batch_alter_table('job') as batch:
        batch.drop_column('delivered_to')
    op.drop_table('worker')
