"""specification tables

Revision: 0001, after 
"""

import sqlalchemy as sa
from alembic import op


revision = '0001'
down_revision = None
branch_labels = None
depends_on = None


def upgrade():

    op.create_table('dataset',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('description', sa.Text(), nullable=True),
    sa.Column('classes', sa.Text(), nullable=False),
    sa.Column('total_images', sa.Integer(), server_default='0', nullable=False),
    sa.Column('train_images', sa.Integer(), server_default='0', nullable=False),
    sa.Column('val_images', sa.Integer(), server_default='0', nullable=False),
    sa.Column('test_images', sa.Integer(), server_default='0', nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('path', sa.String(length=255), nullable=True),
    sa.Column('status', sa.String(length=20), server_default='pending', nullable=False),
    sa.Column('task', sa.String(length=20), nullable=False),
    sa.Column('size_bytes', sa.BigInteger(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('report', sa.Text(), nullable=False),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_dataset'))
    )
    with op.batch_alter_table('dataset', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_dataset_status'), ['status'], unique=False)

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

    op.create_table('training',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('name', sa.String(length=100), nullable=False),
    sa.Column('dataset_id', sa.Integer(), nullable=False),
    sa.Column('model_version', sa.String(length=10), nullable=False),
    sa.Column('epochs', sa.Integer(), server_default='100', nullable=False),
    sa.Column('batch_size', sa.Integer(), server_default='16', nullable=False),
    sa.Column('img_size', sa.Integer(), server_default='640', nullable=False),
    sa.Column('learning_rate', sa.Float(precision=53), server_default='0.01', nullable=False),
    sa.Column('status', sa.String(length=20), nullable=False),
    sa.Column('current_epoch', sa.Integer(), server_default='0', nullable=False),
    sa.Column('total_epochs', sa.Integer(), nullable=True),
    sa.Column('start_time', sa.DateTime(), nullable=True),
    sa.Column('end_time', sa.DateTime(), nullable=True),
    sa.Column('model_path', sa.String(length=255), nullable=True),
    sa.Column('config_path', sa.String(length=255), nullable=True),
    sa.Column('log_path', sa.String(length=255), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.Column('updated_at', sa.DateTime(), nullable=False),
    sa.Column('params', sa.Text(), nullable=False),
    sa.Column('priority', sa.Integer(), nullable=False),
    sa.Column('device', sa.String(length=40), nullable=True),
    sa.Column('weights', sa.String(length=20), nullable=True),
    sa.Column('notes', sa.Text(), nullable=False),
    sa.Column('error', sa.Text(), nullable=True),
    sa.Column('error_kind', sa.String(length=20), nullable=True),
    sa.Column('traceback', sa.Text(), nullable=True),
    sa.Column('eta', sa.Float(precision=53), nullable=True),
    sa.Column('stop_requested', sa.Boolean(), nullable=False),
    sa.Column('attempt', sa.Integer(), nullable=False),
    sa.Column('pid', sa.Integer(), nullable=True),
    sa.Column('pid_started', sa.Float(precision=53), nullable=True),
    sa.Column('event_seq', sa.Integer(), nullable=False),
    sa.Column('event_offset', sa.BigInteger(), nullable=False),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.Column('progress', sa.Text(), nullable=False),
    sa.ForeignKeyConstraint(['dataset_id'], ['dataset.id'], name=op.f('fk_training_dataset_id_dataset')),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_training'))
    )
    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_training_dataset_id'), ['dataset_id'], unique=False)
        batch_op.create_index('ix_training_status_created', ['status', 'created_at'], unique=False)

    op.create_table('checkpoint',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('training_id', sa.Integer(), nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('model_path', sa.String(length=255), nullable=False),
    sa.Column('metrics', sa.Text(), nullable=False),
    sa.Column('is_best', sa.Boolean(), server_default=sa.false(), nullable=False),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['training_id'], ['training.id'], name=op.f('fk_checkpoint_training_id_training'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_checkpoint'))
    )
    with op.batch_alter_table('checkpoint', schema=None) as batch_op:
        batch_op.create_index('ix_checkpoint_training', ['training_id', 'epoch'], unique=False)

    op.create_table('test',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('training_id', sa.Integer(), nullable=False),
    sa.Column('image_path', sa.String(length=255), nullable=True),
    sa.Column('results', sa.Text(), nullable=False),
    sa.Column('confidence_threshold', sa.Float(precision=53), nullable=False),
    sa.Column('iou_threshold', sa.Float(precision=53), nullable=False),
    sa.Column('inference_time', sa.Float(precision=53), nullable=True),
    sa.Column('total_time', sa.Float(precision=53), nullable=True),
    sa.Column('created_at', sa.DateTime(), nullable=False),
    sa.ForeignKeyConstraint(['training_id'], ['training.id'], name=op.f('fk_test_training_id_training'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_test'))
    )
    with op.batch_alter_table('test', schema=None) as batch_op:
        batch_op.create_index(batch_op.f('ix_test_training_id'), ['training_id'], unique=False)

    op.create_table('training_metric',
    sa.Column('id', sa.Integer(), nullable=False),
    sa.Column('training_id', sa.Integer(), nullable=False),
    sa.Column('epoch', sa.Integer(), nullable=False),
    sa.Column('loss', sa.Float(precision=53), nullable=True),
    sa.Column('precision', sa.Float(precision=53), nullable=True),
    sa.Column('recall', sa.Float(precision=53), nullable=True),
    sa.Column('map50', sa.Float(precision=53), nullable=True),
    sa.Column('map95', sa.Float(precision=53), nullable=True),
    sa.Column('val_loss', sa.Float(precision=53), nullable=True),
    sa.Column('learning_rate', sa.Float(precision=53), nullable=True),
    sa.Column('timestamp', sa.DateTime(), nullable=False),
    sa.Column('parts', sa.Text(), nullable=False),
    sa.Column('seconds', sa.Float(precision=53), nullable=True),
    sa.Column('seq', sa.Integer(), nullable=False),
    sa.ForeignKeyConstraint(['training_id'], ['training.id'], name=op.f('fk_training_metric_training_id_training'), ondelete='CASCADE'),
    sa.PrimaryKeyConstraint('id', name=op.f('pk_training_metric')),
    sa.UniqueConstraint('training_id', 'epoch', name=op.f('uq_training_metric_training_id'))
    )



def downgrade():

    op.drop_table('training_metric')
    with op.batch_alter_table('test', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_test_training_id'))

    op.drop_table('test')
    with op.batch_alter_table('checkpoint', schema=None) as batch_op:
        batch_op.drop_index('ix_checkpoint_training')

    op.drop_table('checkpoint')
    with op.batch_alter_table('training', schema=None) as batch_op:
        batch_op.drop_index('ix_training_status_created')
        batch_op.drop_index(batch_op.f('ix_training_dataset_id'))

    op.drop_table('training')
    with op.batch_alter_table('dataset_finding', schema=None) as batch_op:
        batch_op.drop_index('ix_dataset_finding_dataset_severity')

    op.drop_table('dataset_finding')
    with op.batch_alter_table('dataset', schema=None) as batch_op:
        batch_op.drop_index(batch_op.f('ix_dataset_status'))

    op.drop_table('dataset')

