"""who may enter

Revision: 0014, after 0013
"""

import sqlalchemy as sa
from alembic import op


revision = '0014'
down_revision = '0013'
branch_labels = None
depends_on = None

CREATED = ('dataset', 'training', 'test', 'evaluation', 'model_export', 'prediction_run', 'job')


def account_id():
    return sa.Column('account_id', sa.Integer(), nullable=True)


def of_account(table):
    return sa.ForeignKeyConstraint(['account_id'], ['account.id'], name=op.f(f'fk_{table}_account_id_account'), ondelete='CASCADE')


def upgrade():
    op.create_table(
        'account',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('name', sa.String(length=60), nullable=False),
        sa.Column('key', sa.String(length=120), nullable=False),
        sa.Column('role', sa.String(length=10), nullable=False),
        sa.Column('password', sa.String(length=200), nullable=True),
        sa.Column('active', sa.Boolean(), server_default=sa.true(), nullable=False),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('seen_at', sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_account')),
        sa.UniqueConstraint('key', name=op.f('uq_account_key')),
        sqlite_autoincrement=True,
    )
    op.create_table(
        'access_token',
        sa.Column('id', sa.Integer(), nullable=False),
        account_id(),
        sa.Column('name', sa.String(length=60), nullable=False),
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('start', sa.String(length=12), nullable=False),
        sa.Column('role', sa.String(length=10), nullable=False),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('expires_at', sa.DateTime(), nullable=True),
        sa.Column('used_at', sa.DateTime(), nullable=True),
        of_account('access_token'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_access_token')),
        sa.UniqueConstraint('digest', name=op.f('uq_access_token_digest')),
    )
    op.create_table(
        'login_session',
        sa.Column('id', sa.Integer(), nullable=False),
        account_id(),
        sa.Column('token_id', sa.Integer(), nullable=True),
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('role', sa.String(length=10), nullable=False),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('expires_at', sa.DateTime(), nullable=False),
        of_account('login_session'),
        sa.ForeignKeyConstraint(['token_id'], ['access_token.id'], name=op.f('fk_login_session_token_id_access_token'), ondelete='CASCADE'),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_login_session')),
        sa.UniqueConstraint('digest', name=op.f('uq_login_session_digest')),
    )
    op.create_table(
        'invitation',
        sa.Column('id', sa.Integer(), nullable=False),
        sa.Column('digest', sa.String(length=64), nullable=False),
        sa.Column('owner', sa.Boolean(), nullable=False),
        sa.Column('role', sa.String(length=10), nullable=False),
        sa.Column('created_at', sa.DateTime(), nullable=False),
        sa.Column('expires_at', sa.DateTime(), nullable=False),
        sa.Column('used_at', sa.DateTime(), nullable=True),
        sa.PrimaryKeyConstraint('id', name=op.f('pk_invitation')),
        sa.UniqueConstraint('digest', name=op.f('uq_invitation_digest')),
    )
    op.create_index(op.f('ix_access_token_account_id'), 'access_token', ['account_id'], unique=False)
    op.create_index(op.f('ix_login_session_account_id'), 'login_session', ['account_id'], unique=False)
    op.create_index(op.f('ix_login_session_token_id'), 'login_session', ['token_id'], unique=False)
    for table in CREATED:
        op.add_column(table, sa.Column('created_by', sa.Integer(), nullable=True))
        op.create_index(op.f(f'ix_{table}_created_by'), table, ['created_by'], unique=False)


def downgrade():
    for table in CREATED:
        op.drop_index(op.f(f'ix_{table}_created_by'), table_name=table)
        op.drop_column(table, 'created_by')
    for table in ('invitation', 'login_session', 'access_token', 'account'):
        op.drop_table(table)
