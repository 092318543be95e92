"""The manifests for several machines against the published schemas, as `make lint` does: errors name their field."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from apiflask import APIFlask
from sqlalchemy import text

from app.config import SETTINGS, load_settings
from app.database import writing
from app.extensions import db
from app.jobs import Job, JobStatus
from scripts.local_server import ROOT
from scripts.manifests import FOLDER, in_file, merged, patches, unused

CHECK_COMPOSE = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FOLDER, tmp_path / "k8s"))


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("base/web.yaml", "replicas: 2", "replica: 2", "'replica' was unexpected"),
        ("base/web.yaml", "replicas: 2", "replicas: two", "Deployment/yolo-training-platform: spec.replicas"),
        ("base/web.yaml", "path: /health", "paht: /health", "'paht' was unexpected"),
        (
            "base/claims.yaml",
            "v1\nkind: PersistentVolumeClaim",
            "v9\nkind: PersistentVolumeClaim",
            "Couldn't find schema",
        ),
        ("base/kustomization.yaml", "- web.yaml", "- site.yaml", "site.yaml does not exist"),
        ("keda/workers.yaml", "maxReplicaCount: 8", "maxReplicas: 8", "'maxReplicas' was unexpected"),
        ("keda/workers.yaml", 'port: "5432"', "port: 5432", "spec.triggers.0.metadata.port"),
        ("keda/workers.yaml", "kind: ScaledObject", "kind: Scaled", "KEDA has no such kind"),
    ],
)
def test_a_wrong_field_is_named(folder: Path, file: str, old: str, new: str, message: str) -> None:
    path = folder / file
    text = path.read_text()
    assert old in text
    assert in_file(path) == []
    path.write_text(text.replace(old, new, 1))
    assert any(message in line for line in in_file(path)), in_file(path)


def test_a_file_that_no_kustomization_names_is_named(folder: Path) -> None:
    assert unused(folder) == []
    (folder / "base" / "more.yaml").write_text("kind: Secret\n")
    assert unused(folder) == ["base/more.yaml: no kustomization names it"]


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("components/object-store", "volumeClaimTemplate:", "volumeClaim:", "'volumeClaim' was unexpected"),
        ("components/object-store", "yolo-worker-(gpu|cpu)", "worker-(gpu|cpu)", "it has no target"),
        ("object-store", "replicas: 1", "replica: 1", "'replica' was unexpected"),
        ("object-store", "kind: PodDisruptionBudget", "kind: PodDisruption", "it has no target"),
    ],
)
def test_a_patch_that_does_not_fit_is_named(folder: Path, file: str, old: str, new: str, message: str) -> None:
    path = folder / file / "kustomization.yaml"
    assert patches(folder) == []
    path.write_text(path.read_text().replace(old, new))
    assert any(message in line for line in patches(folder)), patches(folder)


def test_a_wrong_field_fails_the_step_of_lint(folder: Path) -> None:
    path = folder / "base" / "web.yaml"
    path.write_text(path.read_text().replace("replicas: 2", "replica: 2"))
    command = [sys.executable, "-m", "scripts.manifests", str(folder)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert answer.returncode == 1
    assert "base/web.yaml: Deployment/yolo-training-platform: spec: " in answer.stdout


def test_a_wrong_field_of_compose_fails(tmp_path: Path) -> None:
    files = [str(path) for path in sorted((ROOT / "deploy").glob("compose*.yaml"))]
    assert subprocess.run([*CHECK_COMPOSE, *files], capture_output=True).returncode == 0
    wrong = tmp_path / "compose.yaml"
    wrong.write_text((ROOT / "deploy" / "compose.cluster.yaml").read_text().replace("healthcheck:", "health_check:"))
    answer = subprocess.run([*CHECK_COMPOSE, str(wrong)], capture_output=True, text=True)
    assert answer.returncode == 1
    assert "'health_check' was unexpected" in answer.stdout


def documents(name: str) -> list[dict[str, Any]]:
    return list(yaml.safe_load_all((FOLDER / name).read_text()))


def compose(name: str = "compose.cluster.yaml") -> dict[str, Any]:
    """A file of deploy/, with each variable's default, otherwise its value in `variables`."""
    variables = {"POSTGRES_PASSWORD": "x", "STORAGE_URL": "s3://bucket/folder"}

    def value(match: re.Match[str]) -> str:
        return variables[match["name"]] if match["kind"] == "?" else match["rest"]

    text = re.sub(r"\$\{(?P<name>\w+):(?P<kind>[-?])(?P<rest>[^}]*)\}", value, (ROOT / "deploy" / name).read_text())
    loaded: dict[str, Any] = yaml.safe_load(text)
    return loaded


def literals(name: str = "base") -> dict[str, str]:
    (generator,) = documents(f"{name}/kustomization.yaml")[0]["configMapGenerator"]
    return dict(item.split("=", 1) for item in generator["literals"])


STORED = compose("compose.object-store.yaml")["services"]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        literals("components/object-store"),
        {name: value or "" for name, value in STORED["web-1"]["environment"].items()},
        {name: value or "" for name, value in STORED["worker-gpu-0"]["environment"].items()},
    ],
)
def test_their_settings_are_the_platforms(changes: dict[str, str]) -> None:
    names = {setting.name for setting in SETTINGS}
    for values in (literals() | changes, compose()["services"]["web-1"]["environment"] | changes):
        assert set(values) - names <= {"PGPASSWORD"}
        config = load_settings(values)
        assert config.DATABASE_URL.startswith("postgresql://")
        assert config.REDIS_URL
        assert config.SOCKETIO_ASYNC_MODE == "threading"


def test_two_web_processes_share_what_they_need() -> None:
    services = compose()["services"]
    first, second = services["web-1"], services["web-2"]
    assert first["volumes"] == second["volumes"] == ["data:/app/data", "instance:/app/instance"]
    addresses = [services[name]["networks"]["default"]["ipv4_address"] for name in ("web-1", "web-2")]
    assert all(f"server {address}:5000;" in " ".join(services["nginx"]["command"]) for address in addresses)
    assert services["nginx"]["networks"]["default"]["ipv4_address"] == first["environment"]["TRUSTED_PROXIES"]
    web = documents("base/web.yaml")[0]
    assert web["spec"]["replicas"] == 2
    claims = {claim["metadata"]["name"]: claim["spec"]["accessModes"] for claim in documents("base/claims.yaml")}
    for deployment in (web, *(documents(f"base/worker-{kind}.yaml")[0] for kind in ("gpu", "cpu"))):
        volumes = deployment["spec"]["template"]["spec"]["volumes"]
        used = {volume["persistentVolumeClaim"]["claimName"] for volume in volumes if "persistentVolumeClaim" in volume}
        assert used == set(claims)
    assert set(map(tuple, claims.values())) == {("ReadWriteMany",)}


def test_workers_with_an_object_store_share_no_volume() -> None:
    """Neither with the web processes nor, in Kubernetes, with each other; in Compose, those of a host share one."""
    services = compose()["services"]
    assert set(STORED) == {name for name, service in services.items() if "DISPATCH" in service.get("environment", {})}
    shared = volumes(services["web-1"])
    for name in ("worker-gpu-0", "worker-cpu"):
        mounted = volumes(STORED[name])
        assert mounted.keys() == shared.keys(), "a mount with another target would be added"
        assert not set(mounted.values()) & set(shared.values())
    component = documents("components/object-store/kustomization.yaml")[0]
    (patch,) = (yaml.safe_load(item["patch"]) for item in component["patches"])
    for kind in ("gpu", "cpu"):
        pod = merged(documents(f"base/worker-{kind}.yaml")[0], patch)["spec"]["template"]["spec"]
        assert [volume["name"] for volume in pod["volumes"] if "persistentVolumeClaim" in volume] == []


def test_without_a_volume_of_several_machines_there_is_one_web_process() -> None:
    overlay = documents("object-store/kustomization.yaml")[0]
    changes = {item["target"]["kind"]: yaml.safe_load(item["patch"]) for item in overlay["patches"]}
    web = merged(documents("base/web.yaml")[0], changes["Deployment"])["spec"]
    assert (web["replicas"], web["strategy"]) == (1, {"type": "Recreate"})
    for claim in documents("base/claims.yaml"):
        assert merged(claim, changes["PersistentVolumeClaim"])["spec"]["accessModes"] == ["ReadWriteOnce"]


def volumes(service: dict[str, Any]) -> dict[str, str]:
    """By their mount points."""
    pairs = (item.split(":") for item in service["volumes"])
    return {target: name for name, target in pairs}


def test_keda_counts_the_gpu_jobs_that_wait_and_run(app: APIFlask) -> None:
    """Not those for another worker, and not the same job twice."""
    scaled = documents("keda/workers.yaml")[0]
    query = scaled["spec"]["triggers"][0]["metadata"]["query"]
    rows: list[tuple[str, str | None, list[str] | None]] = [
        (JobStatus.PENDING, "gpu", None),
        (JobStatus.PENDING, "gpu-high", None),
        (JobStatus.PENDING, "gpu2", None),
        (JobStatus.PENDING, "any", None),
        (JobStatus.PENDING, None, None),
        (JobStatus.RUNNING, None, ["0"]),
        (JobStatus.RUNNING, None, ["cpu"]),
        (JobStatus.RUNNING, None, None),
        (JobStatus.COMPLETED, None, ["0"]),
    ]
    with app.app_context():
        with writing() as session:
            for status, queue, devices in rows:
                job = Job(kind="training", status=status, devices=devices)
                job.delivered_to = queue
                session.add(job)
        assert db.session.scalar(text(query)) == 3
