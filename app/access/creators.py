"""The creator of an object by name, and list filters by creator."""

from typing import Any

from sqlalchemy import select

from app.access.identify import access_of
from app.access.principal import current_account_id
from app.extensions import db
from app.models.access import Account

ME, OWNER = "me", "owner"


def name_of(account_id: int) -> str | None:
    """Names are read once and cached, since each row of each list needs them; the cache is cleared at each change."""
    names = access_of().names
    if account_id not in names:
        names.update({row.id: row.name for row in db.session.execute(select(Account.id, Account.name))})
    return names.get(account_id)


def forget_names() -> None:
    access_of().names.clear()


def creator_conditions(column: Any, who: str | None) -> tuple[Any, ...]:
    """SQL conditions for a list.

    Args:
        column: `created_by` of a table.
        who: "me", "owner" (of the installation), an account's id, or None: everyone's.
    """
    if not who:
        return ()
    account_id = current_account_id() if who == ME else None if who == OWNER else int(who)
    return (column.is_(None) if account_id is None else column == account_id,)
