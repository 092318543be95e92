"""datasets as people have them: revisions

Revision: 0003, after 0002
"""

import sqlalchemy as sa
from alembic import op


revision = '0003'
down_revision = '0002'
branch_labels = None
depends_on = None


def upgrade():
    op.create_table('dataset_revision',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('dataset_id', sa.Integer(), nullable=False),
    sa.Column('number', sa.Integer(), nullable=False),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('hash', sa.String(length=64), nullable=True),
    sa.Column('origin', sa.Text(), nullable=False),
    sa.Column('options', sa.Text(), nullable=False),
    sa.Column('classes', sa.Text(), nullable=False),
    sa.Column('task', sa.String(length=20), server_default='detect', nullable=False),
    sa.Column('format', sa.String(length=20), nullable=True),
    sa.Column('total_images', sa.Integer(), server_default='0', nullable=False),
    sa.Column('train_images', sa.Integer(), server_default='0', nullable=False),
    sa.Column('val_images', sa.Integer(), server_default='0', nullable=False),
    sa.Column('test_images', sa.Integer(), server_default='0', nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), server_default='0', nullable=False),
    sa.Column('report', sa.Text(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['dataset_id'], ['dataset.id'], name=op.f('fk_dataset_revision_dataset_id_dataset'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dataset_revision')),
    sa.UniqueConstraint('dataset_id', 'number', name=op.f('uq_dataset_revision_dataset_id'))
    )
    with op.batch_alter_table('dataset_revision', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dataset_revision_status'), ['status'], unique=False)

    with op.batch_alter_table('dataset', schema=None) as batch_op:
        batch_op.add_column(sa.Column('revision', sa.Integer(), nullable=True))
        batch_op.add_column(sa.Column('format', sa.String(length=20), nullable=True))

    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.add_column(sa.Column('revision', sa.Integer(), nullable=True))

    with op.batch_alter_table('dataset_finding', schema=None) as batch_op:
        batch_op.drop_index('ix_dataset_finding_dataset_severity')

    op.drop_table('dataset_finding')


def downgrade():
    op.create_table('dataset_finding',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('dataset_id', sa.Integer(), nullable=False),
    sa.Column('severity', sa.String(length=10), nullable=False),
    sa.Column('code', sa.String(length=40), nullable=False),
    sa.Column('file', sa.String(length=255), nullable=True),
    sa.Column('line', sa.Integer(), nullable=True),
    sa.Column('data', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['dataset_id'], ['dataset.id'], name=op.f('fk_dataset_finding_dataset_id_dataset'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dataset_finding'))
    )
    with op.batch_alter_table('dataset_finding', schema=None) as batch_op:
        batch_op.create_index('ix_dataset_finding_dataset_severity', ['dataset_id', 'severity', 'id'], unique=False)

    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.drop_column('revision')

    with op.batch_alter_table('dataset', schema=None) as batch_op:
        batch_op.drop_column('format')
        batch_op.drop_column('revision')

    with op.batch_alter_table('dataset_revision', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dataset_revision_status'))

    op.drop_table('dataset_revision')
