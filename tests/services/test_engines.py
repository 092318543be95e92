"""The choice of the faster engine: by alternating timings, or for older exports by the figures of their
verification.
"""

from typing import Any

import pytest

from app.core.cpu import cpu_name
from app.models import ModelExport
from app.services.infer.engines import ratios

Times = dict[str, float]


def export(times: Times, bfloat16: Times | None = None, cpu: str | None = None, **details: Any) -> ModelExport:
    """An export whose .pt takes 100 ms at p50 and 80 ms for the quickest image."""
    if bfloat16:
        details["bfloat16"] = {"cpu": cpu or cpu_name(), "latency_ms": bfloat16}
    reference = {"p50": 100.0, "p95": 200.0, "least": 80.0}
    return ModelExport(verification={"latency_ms": times, "reference": {"latency_ms": reference}}, details=details)


@pytest.mark.parametrize(
    ("bfloat16", "cpu", "expected"),
    [
        (None, None, {"f32": 0.5}),
        ({"p50": 60, "p95": 60, "least": 20}, None, {"f32": 0.5, "bf16": 0.25}),
        ({"p50": 20, "p95": 60}, None, {"f32": 0.6, "bf16": 0.2}),
        ({"p50": 60, "p95": 60, "least": 20}, "another", {"f32": 0.5}),
    ],
)
def test_an_older_export_is_compared_by_its_proof(bfloat16: Times | None, cpu: str | None, expected: Times) -> None:
    assert ratios(export({"p50": 60, "p95": 90, "least": 40}, bfloat16, cpu)) == expected


def test_what_was_timed_in_turns_counts() -> None:
    timed = {"cpu": cpu_name(), "ms": {"pytorch": 50.0, "f32": 60.0, "bf16": 40.0}}
    slow = {"p50": 500, "p95": 500, "least": 500}
    assert ratios(export(slow, slow, run_times=timed)) == {"f32": 1.2, "bf16": 0.8}
    assert ratios(export(slow, slow, cpu="another", run_times=timed)) == {"f32": 1.2}
    assert ratios(export({"p50": 60, "p95": 60, "least": 40}, run_times=None)) == {"f32": 0.5}, "timing had failed"
