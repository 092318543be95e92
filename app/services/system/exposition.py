"""The figures as Prometheus reads them: its text format, version 0.0.4.

Source: prometheus.io/docs/instrumenting/exposition_formats, "Text-based format".
Units are Prometheus' own: bytes, seconds, shares of one. What the machine does not tell is left out.
"""

from collections.abc import Iterator
from typing import Any

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

Labels = dict[str, Any]
Family = tuple[str, str, str, list[tuple[Labels, float | None]]]  # name, type, help, samples
SIZES = ("used", "free", "total")


def exposition(figures: dict[str, Any]) -> str:
    """`figures` are those of `system.figures`."""
    lines: list[str] = []
    for name, kind, about, samples in families(figures):
        known = [(labels, value) for labels, value in samples if value is not None]
        if known:
            lines += [f"# HELP yolo_{name} {about}", f"# TYPE yolo_{name} {kind}"]
            lines += [f"yolo_{name}{written(labels)} {value}" for labels, value in known]
    return "\n".join(lines) + "\n"


def families(figures: dict[str, Any]) -> Iterator[Family]:
    cpu, disk, network, database = (figures[name] for name in ("cpu", "disk", "network", "database"))
    yield "info", "gauge", "The version that runs.", [({"version": figures["version"]}, 1)]
    yield "uptime_seconds", "gauge", "Since the start of the server.", [({}, figures["uptime"])]
    yield "cpu_usage_ratio", "gauge", "Of all cores of the machine.", [({}, share(cpu["percent"]))]
    yield "memory_bytes", "gauge", "Of the machine.", by_size(figures["memory"])
    yield "process_resident_memory_bytes", "gauge", "Of the web process.", [({}, figures["process"]["rss"])]
    yield "disk_bytes", "gauge", "Where the data is kept.", by_size(disk)
    yield "disk_bytes_per_second", "gauge", "Read and written.", by_name(disk, ("read", "write"))
    yield "network_bytes_per_second", "gauge", "Received and sent.", by_name(network, ("received", "sent"))
    yield "connections", "gauge", "Open Socket.IO connections.", [({}, network["connections"])]
    yield "trainings", "gauge", "By status.", [({"status": key}, value) for key, value in figures["queue"].items()]
    yield "database_size_bytes", "gauge", "With its log.", [({}, database["size"])]
    yield "database_queries_total", "counter", "Since the start of the server.", [({}, database["queries"])]
    times = [({"quantile": quantile}, seconds(database[name])) for quantile, name in QUANTILES.items()]
    yield "database_query_seconds", "gauge", "Of the newest 1,000 queries.", times
    yield from of_gpus(figures["gpus"])


QUANTILES = {"0.5": "median", "0.95": "p95", "1": "longest"}


def of_gpus(gpus: list[dict[str, Any]]) -> Iterator[Family]:
    labels = [{"gpu": gpu["index"], "name": gpu["name"]} for gpu in gpus]
    each = list(zip(labels, gpus, strict=True))
    yield "gpu_usage_ratio", "gauge", "Of each GPU.", [(mine, share(gpu["utilization"])) for mine, gpu in each]
    sizes = [(mine | {"kind": kind}, gpu[f"memory_{kind}"]) for mine, gpu in each for kind in ("used", "total")]
    yield "gpu_memory_bytes", "gauge", "Of each GPU.", sizes
    yield "gpu_temperature_celsius", "gauge", "Of each GPU.", [(mine, gpu["temperature"]) for mine, gpu in each]
    yield "gpu_power_watts", "gauge", "Of each GPU.", [(mine, gpu["power"]) for mine, gpu in each]


def by_size(figures: dict[str, Any]) -> list[tuple[Labels, float | None]]:
    return [({"kind": kind}, figures.get(kind)) for kind in SIZES]


def by_name(figures: dict[str, Any], names: tuple[str, ...]) -> list[tuple[Labels, float | None]]:
    return [({"direction": name}, figures.get(name)) for name in names]


def share(percent: float | None) -> float | None:
    return None if percent is None else percent / 100


def seconds(milliseconds: float | None) -> float | None:
    return None if milliseconds is None else milliseconds / 1000


def written(labels: Labels) -> str:
    """In braces, with what the format escapes."""
    if not labels:
        return ""
    escaped = (
        (key, str(value).replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")) for key, value in labels.items()
    )
    return "{" + ",".join(f'{key}="{value}"' for key, value in escaped) + "}"
