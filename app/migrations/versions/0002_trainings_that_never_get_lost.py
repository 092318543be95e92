"""trainings that never get lost

Revision: 0002, after 0001
"""

import sqlalchemy as sa
from alembic import op


revision = '0002'
down_revision = '0001'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('estimate',
    sa.Column('key', sa.String(length=64), nullable=False),
    sa.Column('figures', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('key', name=op.f('pk_estimate'))
    )
    op.create_table('idempotency_key',
    sa.Column('key', sa.String(length=200), nullable=False),
    sa.Column('scope', sa.String(length=100), nullable=False),
    sa.Column('digest', sa.String(length=64), nullable=False),
    sa.Column('answer', sa.Text(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.PrimaryKeyConstraint('key', 'scope', name=op.f('pk_idempotency_key'))
    )
    op.create_table('training_event',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('training_id', sa.Integer(), nullable=False),
    sa.Column('seq', sa.BigInteger(), nullable=False),
    sa.Column('event', sa.String(length=40), nullable=False),
    sa.Column('payload', sa.Text(), nullable=False),
    sa.Column('time', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['training_id'], ['training.id'], name=op.f('fk_training_event_training_id_training'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_training_event')),
    sa.UniqueConstraint('training_id', 'seq', name=op.f('uq_training_event_training_id'))
    )
    with op.batch_alter_table('checkpoint', schema=None) as batch_op:
        batch_op.add_column(sa.Column('resumable', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('periodic', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('size_bytes', sa.BigInteger(), server_default='0', nullable=False))

    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.add_column(sa.Column('task', sa.String(length=20), server_default='detect', nullable=False))
        batch_op.add_column(sa.Column('architecture', sa.String(length=40), nullable=True))
        batch_op.add_column(sa.Column('start', sa.Text(), server_default='{}', nullable=False))
        batch_op.add_column(sa.Column('cloned_from', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('dataset_revision', sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column('important', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('deleted_at', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('position', sa.BigInteger(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('start_not_before', sa.DateTime(), nullable=True))
        batch_op.add_column(sa.Column('waiting_for', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('devices', sa.Text(), nullable=True))
        batch_op.add_column(sa.Column('pause_requested', sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column('pause_reason', sa.String(length=20), nullable=True))
        batch_op.add_column(sa.Column('resume_from', sa.String(length=255), nullable=True))
        batch_op.add_column(sa.Column('restarts', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('halvings', sa.Integer(), server_default='0', nullable=False))
        batch_op.add_column(sa.Column('batch_now', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('extensions', sa.Text(), server_default='[]', nullable=False))
        batch_op.create_index(batch_op.f('ix_training_deleted_at'), ['deleted_at'], unique=False)

    with op.batch_alter_table('training_metric', schema=None) as batch_op:
        batch_op.add_column(sa.Column('fitness', sa.Float(precision=53), nullable=True))
        batch_op.add_column(sa.Column('timing', sa.Text(), server_default='{}', nullable=False))
        batch_op.add_column(sa.Column('classes', sa.Text(), server_default='[]', nullable=False))



def downgrade():
    with op.batch_alter_table('training_metric', schema=None) as batch_op:
        batch_op.drop_column('classes')
        batch_op.drop_column('timing')
        batch_op.drop_column('fitness')

    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_training_deleted_at'))
        batch_op.drop_column('extensions')
        batch_op.drop_column('batch_now')
        batch_op.drop_column('halvings')
        batch_op.drop_column('restarts')
        batch_op.drop_column('resume_from')
        batch_op.drop_column('pause_reason')
        batch_op.drop_column('pause_requested')
        batch_op.drop_column('devices')
        batch_op.drop_column('waiting_for')
        batch_op.drop_column('start_not_before')
        batch_op.drop_column('position')
        batch_op.drop_column('deleted_at')
        batch_op.drop_column('important')
        batch_op.drop_column('dataset_revision')
        batch_op.drop_column('cloned_from')
        batch_op.drop_column('start')
        batch_op.drop_column('architecture')
        batch_op.drop_column('task')

    with op.batch_alter_table('checkpoint', schema=None) as batch_op:
        batch_op.drop_column('size_bytes')
        batch_op.drop_column('periodic')
        batch_op.drop_column('resumable')

    op.drop_table('training_event')
    op.drop_table('idempotency_key')
    op.drop_table('estimate')
