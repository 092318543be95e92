"""one kind of evaluation: that of the best weights of a run that was stopped is gone

Revision: 0012, after 0011
"""

from alembic import op


revision = '0012'
down_revision = '0011'
branch_labels = None
depends_on = None


def upgrade():
    # Nobody would run those that wait; `evaluate` follows the end of a run now.
    op.execute("DELETE FROM job WHERE kind = 'evaluate_best'")


def downgrade():
    """Nothing was changed that an earlier version misses."""
