"""exports of models

Revision: 0010, after 0009
"""

import sqlalchemy as sa
from alembic import op


revision = '0010'
down_revision = '0009'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'model_export',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('training_id', sa.Integer(), nullable=False),
        sa.Column('key', sa.String(length=64), nullable=False),
        sa.Column('format', sa.String(length=30), nullable=False),
        sa.Column('arguments', sa.Text(), nullable=False),
        sa.Column('weights_sha256', sa.String(length=64), nullable=False),
        sa.Column('status', sa.String(length=20), nullable=False),
        sa.Column('job_id', sa.Integer(), nullable=True),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('size_bytes', sa.BigInteger(), nullable=True),
        sa.Column('verification', sa.Text(), nullable=True),
        sa.Column('thresholds', sa.Text(), server_default='[]', nullable=False),
        sa.Column('details', sa.Text(), server_default='{}', nullable=False),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('ended_at', sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(['training_id'], ['training.id'], name=op.f('fk_model_export_training_id_training'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_model_export')),
    )
    op.create_index('ix_model_export_training_key', 'model_export', ['training_id', 'key'], unique=False)


def downgrade():
    # The version before doesn't know this kind of job.
    op.execute("DELETE FROM job WHERE kind = 'export_model'")
    op.drop_index('ix_model_export_training_key', table_name='model_export')
    op.drop_table('model_export')
