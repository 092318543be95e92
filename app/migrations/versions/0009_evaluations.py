"""evaluations of trained models

Revision: 0009, after 0008
"""

import sqlalchemy as sa
from alembic import op


revision = '0009'
down_revision = '0008'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('evaluation',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('training_id', sa.Integer(), nullable=False),
    sa.Column('dataset_id', sa.Integer(), nullable=True),
    sa.Column('revision', sa.Integer(), nullable=True),
    sa.Column('split', sa.String(length=10), nullable=False),
    sa.Column('checkpoint', sa.String(length=20), nullable=False),
    sa.Column('img_size', sa.Integer(), nullable=False),
    sa.Column('classes', sa.Text(), nullable=True),
    sa.Column('status', sa.String(length=20), server_default='pending', nullable=False),
    sa.Column('job_id', sa.Integer(), nullable=True),
    sa.Column('token', sa.String(length=32), nullable=False),
    sa.Column('result', sa.Text(), nullable=True),
    sa.Column('error', sa.String(length=40), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('ended_at', sa.DateTime(), nullable=True),
    sa.ForeignKeyConstraint(['dataset_id'], ['dataset.id'], name=op.f('fk_evaluation_dataset_id_dataset'), ondelete='SET NULL'),
    sa.ForeignKeyConstraint(['training_id'], ['training.id'], name=op.f('fk_evaluation_training_id_training'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_evaluation')),
    sa.UniqueConstraint('token', name=op.f('uq_evaluation_token'))
    )
    with op.batch_alter_table('evaluation', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_evaluation_training_id'), ['training_id'], unique=False)
        batch_op.create_index(batch_op.f('ix_evaluation_dataset_id'), ['dataset_id'], unique=False)


def downgrade():
    op.execute("DELETE FROM job WHERE kind = 'evaluate'")  # the version before doesn't know this kind
    op.drop_table('evaluation')
