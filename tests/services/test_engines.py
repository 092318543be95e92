"""Which engine is the faster one: judged by the same figure, also of exports from before it was written down."""

from typing import Any

import pytest

from app.core.cpu import cpu_name
from app.models import ModelExport
from app.services.infer.engines import in_bfloat16, latency, shared_figure


def export(times: dict[str, float], bfloat16: dict[str, float] | None = None, cpu: str | None = None) -> ModelExport:
    details: dict[str, Any] = {"bfloat16": {"cpu": cpu or cpu_name(), "latency_ms": bfloat16}} if bfloat16 else {}
    return ModelExport(verification={"latency_ms": times, "reference": {"latency_ms": times}}, details=details)


def test_old_and_new_exports_are_compared_by_the_same_figure() -> None:
    old, new = export({"p50": 40, "p95": 90}), export({"p50": 50, "p95": 90, "least": 30})
    assert shared_figure([new]) == "least"
    assert shared_figure([old, new]) == "p50"
    assert min([new, old], key=lambda row: latency(row, "p50")) is old, "30 against 40 would be two different things"


@pytest.mark.parametrize(
    ("bfloat16", "cpu", "figure", "expected"),
    [
        ({"p50": 20, "p95": 60, "least": 15}, None, "least", 15),
        ({"p50": 20, "p95": 60}, None, "p50", 20),
        ({"p50": 60, "p95": 60, "least": 35}, None, "least", None),
        ({"p50": 20, "p95": 60, "least": 15}, "another", "least", None),
    ],
)
def test_bfloat16_counts_where_it_is_faster_here(
    bfloat16: dict[str, float], cpu: str | None, figure: str, expected: float | None
) -> None:
    row = export({"p50": 50, "p95": 90, "least": 30}, bfloat16, cpu)
    assert (shared_figure([row]), in_bfloat16(row, figure)) == (figure, expected)
    assert latency(row, figure) == (expected or {"p50": 50, "least": 30}[figure])
