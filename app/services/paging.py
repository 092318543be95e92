"""Pages of lists, as schemas.Page has them."""

from typing import TypedDict

from app.schemas.base import PageQueryValues


class PageNumbers(TypedDict):
    """Page, pages and size; `total` counts all entries."""

    total: int
    page: int
    per_page: int
    pages: int


def page_numbers(query: PageQueryValues, total: int) -> PageNumbers:
    """The page that a query (PageQuery) requests."""
    per_page = query["per_page"]
    return {"total": total, "page": query["page"], "per_page": per_page, "pages": -(-total // per_page)}
