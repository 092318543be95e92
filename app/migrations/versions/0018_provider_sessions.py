"""sessions that a provider can end

Revision: 0018, after 0017
"""

import sqlalchemy as sa
from alembic import op


revision = '0018'
down_revision = '0017'
branch_labels = None
depends_on = None


def upgrade():
    for name in ('provider_subject', 'provider_session'):
        op.add_column('login_session', sa.Column(name, sa.String(length=64), nullable=True))
        op.create_index(op.f(f'ix_login_session_{name}'), 'login_session', [name], unique=False)


def downgrade():
    for name in ('provider_subject', 'provider_session'):
        op.drop_index(op.f(f'ix_login_session_{name}'), 'login_session')
    with op.batch_alter_table('login_session') as batch:
        batch.drop_column('provider_session')
        batch.drop_column('provider_subject')
