"""Pages of lists, as schemas.Page has them."""

from collections.abc import Mapping
from typing import Any, TypedDict


class PageNumbers(TypedDict):
    """Which page of how many; `total` counts what the list holds."""

    total: int
    page: int
    per_page: int
    pages: int


def paged(query: Mapping[str, Any], total: int) -> PageNumbers:
    """The page that a query (PageQuery) asks for."""
    per_page = query["per_page"]
    return {"total": total, "page": query["page"], "per_page": per_page, "pages": -(-total // per_page)}
