"""The list of metrics against what is derived from it by hand: columns, the API, the event of an epoch."""

from dataclasses import fields

from app.core.metrics import IN_EVENT, KEYS, METRICS, REPORTED
from app.events import Epoch
from app.models import TrainingMetric
from app.schemas import MetricOut
from app.schemas.training_lists import SORT_KEYS


def test_each_has_a_column_and_a_field_of_the_api() -> None:
    assert set(KEYS) <= {column.key for column in TrainingMetric.__table__.columns}
    assert set(KEYS) <= MetricOut._declared_fields.keys()


def test_the_event_of_an_epoch_has_each() -> None:
    assert set(IN_EVENT) <= set(KEYS)
    assert set(KEYS) <= {field.name for field in fields(Epoch)}


def test_each_is_there_once_and_in_its_range() -> None:
    assert len(set(KEYS)) == len(KEYS)
    for metric in METRICS:
        assert metric.high is None or metric.low is None or metric.low < metric.high
    assert len(set(REPORTED.values())) == len(REPORTED)


def test_lists_are_sorted_by_metrics_that_there_are() -> None:
    assert {"map50", "map95"} == set(SORT_KEYS) & set(KEYS)
