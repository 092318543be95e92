"""Writes the figures in Prometheus' text format.

Units are those of Prometheus: bytes, seconds, ratios. Unknown values are left out.
"""

from collections.abc import Iterator, Mapping

from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4 as CONTENT_TYPE
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.services.system.read_models import Gpu, SystemFigures

__all__ = ["CONTENT_TYPE", "exposition"]

Labels = dict[str, str | int | None]
Samples = list[tuple[Labels, float | None]]
SIZES = ("used", "free", "total")


def exposition(figures: SystemFigures) -> str:
    """The figures of `system.figures` in Prometheus' text format."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Exposition(figures))
    return generate_latest(registry).decode()


class Exposition(Collector):
    """Figures that were already read, as metric families."""

    def __init__(self, figures: SystemFigures) -> None:
        self.figures = figures

    def collect(self) -> Iterator[Metric]:
        return (family for family in families(self.figures) if family.samples)


def family(kind: type[GaugeMetricFamily | CounterMetricFamily], name: str, about: str, samples: Samples) -> Metric:
    """A metric family without the samples that have no value."""
    names = list(samples[0][0]) if samples else []
    metric = kind(f"yolo_{name}", about, labels=names)
    for labels, value in samples:
        if value is not None:
            metric.add_metric([str(labels[key]) for key in names], value)
    return metric


def gauge(name: str, about: str, samples: Samples) -> Metric:
    return family(GaugeMetricFamily, name, about, samples)


def counter(name: str, about: str, samples: Samples) -> Metric:
    return family(CounterMetricFamily, name, about, samples)


def families(figures: SystemFigures) -> Iterator[Metric]:
    """The metrics of the machine and the server."""
    cpu, disk, network, database = figures["cpu"], figures["disk"], figures["network"], figures["database"]
    yield gauge("info", "The version that runs.", [({"version": figures["version"]}, 1)])
    yield gauge("uptime_seconds", "Since the start of the server.", [({}, figures["uptime"])])
    yield gauge("cpu_usage_ratio", "Of all cores of the machine.", [({}, share(cpu["percent"]))])
    yield gauge("memory_bytes", "Of the machine.", by_size(figures["memory"]))
    yield gauge("process_resident_memory_bytes", "Of the web process.", [({}, figures["process"]["rss"])])
    yield gauge("disk_bytes", "Where the data is kept.", by_size(disk))
    yield gauge("disk_bytes_per_second", "Read and written.", by_name(disk, ("read", "write")))
    yield gauge("network_bytes_per_second", "Received and sent.", by_name(network, ("received", "sent")))
    yield gauge("connections", "Open Socket.IO connections.", [({}, network["connections"])])
    yield gauge("trainings", "By status.", [({"status": key}, value) for key, value in figures["queue"].items()])
    yield gauge("database_size_bytes", "With its log.", [({}, database["size"])])
    yield counter("database_queries", "Since the start of the server.", [({}, database["queries"])])
    quantiles = {"0.5": database["median"], "0.95": database["p95"], "1": database["longest"]}
    times: Samples = [({"quantile": quantile}, seconds(value)) for quantile, value in quantiles.items()]
    yield gauge("database_query_seconds", "Of the newest 1,000 queries.", times)
    yield from of_gpus(figures["gpus"])


def of_gpus(gpus: list[Gpu]) -> Iterator[Metric]:
    """The metrics of each GPU."""
    labels = [{"gpu": gpu["index"], "name": gpu["name"]} for gpu in gpus]
    each = list(zip(labels, gpus, strict=True))
    yield gauge("gpu_usage_ratio", "Of each GPU.", [(mine, share(gpu["utilization"])) for mine, gpu in each])
    used: Samples = [(mine | {"kind": "used"}, gpu["memory_used"]) for mine, gpu in each]
    total: Samples = [(mine | {"kind": "total"}, gpu["memory_total"]) for mine, gpu in each]
    yield gauge("gpu_memory_bytes", "Of each GPU.", used + total)
    yield gauge("gpu_temperature_celsius", "Of each GPU.", [(mine, gpu["temperature"]) for mine, gpu in each])
    yield gauge("gpu_power_watts", "Of each GPU.", [(mine, gpu["power"]) for mine, gpu in each])


def by_size(figures: Mapping[str, object]) -> Samples:
    sizes = [(kind, figures.get(kind)) for kind in SIZES]
    return [({"kind": kind}, size if isinstance(size, int | float) else None) for kind, size in sizes]


def by_name(figures: Mapping[str, float], names: tuple[str, ...]) -> Samples:
    return [({"direction": name}, figures.get(name)) for name in names]


def share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000
