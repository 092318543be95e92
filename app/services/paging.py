"""Pages of lists, as schemas.Page has them."""

from collections.abc import Mapping
from typing import Any, TypedDict


class PageNumbers(TypedDict):
    """Page, pages and size; `total` counts all entries."""

    total: int
    page: int
    per_page: int
    pages: int


def page_numbers(query: Mapping[str, Any], total: int) -> PageNumbers:
    """The page that a query (PageQuery) requests."""
    per_page = query["per_page"]
    return {"total": total, "page": query["page"], "per_page": per_page, "pages": -(-total // per_page)}
