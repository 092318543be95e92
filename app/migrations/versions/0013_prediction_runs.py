"""predictions of videos

Revision: 0013, after 0012
"""

import sqlalchemy as sa
from alembic import op


revision = '0013'
down_revision = '0012'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table(
        'prediction_run',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('training_id', sa.Integer(), nullable=False),
        sa.Column('source', sa.String(length=20), nullable=False),
        sa.Column('filename', sa.String(length=255), nullable=False),
        sa.Column('input_bytes', sa.BigInteger(), nullable=False),
        sa.Column('options', sa.Text(), nullable=False),
        sa.Column('status', sa.String(length=20), nullable=False),
        sa.Column('job_id', sa.Integer(), nullable=True),
        sa.Column('error', sa.Text(), nullable=True),
        sa.Column('result', sa.Text(), nullable=True),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('ended_at', sa.DateTime(), nullable=True),
        sa.ForeignKeyConstraint(['training_id'], ['training.id'], name=op.f('fk_prediction_run_training_id_training'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_prediction_run')),
    )
    op.create_index(op.f('ix_prediction_run_training_id'), 'prediction_run', ['training_id'], unique=False)


def downgrade():
    # The version before doesn't know this kind of job.
    op.execute("DELETE FROM job WHERE kind = 'predict_video'")
    op.drop_index(op.f('ix_prediction_run_training_id'), table_name='prediction_run')
    op.drop_table('prediction_run')
