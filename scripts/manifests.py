"""Validates the Kubernetes files of deploy/ against the published schemas: `python -m scripts.manifests`.

Kubernetes' own schemas come from kubernetes-validate, KEDA's from cloudcoil-models-keda; an unknown field is an error.
Patches are validated by applying them to their targets; a patch without a target, which kustomize ignores silently, is
an error, too. If kubectl is installed, so is the output of its kustomize.
"""

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NotRequired, TypedDict, cast

import yaml
from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / "deploy" / "k8s"
KUSTOMIZE, KEDA = "kustomize.config.k8s.io/", "keda.sh/"
EXAMPLE = "secrets.env.example"
COMPONENT = "Component"
LISTS = ("resources", "components", "patches", "configurations")


class Metadata(TypedDict, total=False):
    """The metadata of a Kubernetes object, as far as it is read here."""

    name: str


class Manifest(TypedDict, total=False):
    """A document; its other fields are validated by the schemas."""

    apiVersion: str
    kind: str
    metadata: Metadata


class Target(TypedDict):
    """The target of a patch; `name`: a pattern of names."""

    kind: str
    name: NotRequired[str]


class Patch(TypedDict, total=False):
    """A patch of a kustomization: inline, with its target, or in a file."""

    patch: str
    target: Target
    path: str


class Kustomization(Manifest, total=False):
    """The lists of files are those of LISTS."""

    patches: list[Patch]


def problems(folder: Path) -> list[str]:
    """The problems below this folder, one per line: `file: kind/name: field: what`."""
    lines = []
    for path in sorted(folder.rglob("*.yaml")):
        lines += [f"{path.relative_to(folder)}: {line}" for line in in_file(path)]
    return lines + unused(folder) + patches(folder) + built(folder)


def in_file(path: Path) -> list[str]:
    """The problems of each document of a file."""
    try:
        documents = [document for document in yaml.safe_load_all(path.read_text()) if document]
    except yaml.YAMLError as error:
        return [str(error)]
    return [line for document in documents for line in of(document, path)]


def of(document: Manifest, path: Path) -> Iterator[str]:
    """The problems of one document."""
    version, kind = document.get("apiVersion", ""), document.get("kind", "")
    if version.startswith(KUSTOMIZE):
        yield from missing_files(cast(Kustomization, document), path.parent)
    elif kind:
        name = f"{kind}/{document.get('metadata', {}).get('name')}"
        yield from (f"{name}: {line}" for line in (of_keda if version.startswith(KEDA) else of_kubernetes)(document))


def of_kubernetes(document: Manifest) -> Iterator[str]:
    import kubernetes_validate

    try:
        kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)
    except kubernetes_validate.ValidationError as error:
        yield f"{'.'.join(map(str, error.path))}: {error.message}"
    except kubernetes_validate.SchemaNotFoundError as error:
        yield error.message


def of_keda(document: Manifest) -> Iterator[str]:
    schema = keda_schema(document["kind"])
    if schema is None:
        yield "KEDA has no such kind"
        return
    for error in Draft202012Validator(schema).iter_errors(document):
        yield f"{'.'.join(map(str, error.path))}: {error.message}"


@cache
def keda_schema(kind: str) -> dict[str, Any] | None:
    """The schema of a kind, without additional fields; None: KEDA has none."""
    from cloudcoil.models.keda import v1alpha1

    model = getattr(v1alpha1, kind, None)
    if model is None:
        return None
    schema: dict[str, Any] = model.model_json_schema(by_alias=True)
    for part in (schema, *schema["$defs"].values()):
        if "properties" in part:
            part.setdefault("additionalProperties", False)
    return schema


def files_of(kustomization: Kustomization) -> list[str]:
    named = [str(item) for name in LISTS for item in kustomization.get(name, []) if isinstance(item, str)]
    return named + [item["path"] for item in kustomization.get("patches", []) if "path" in item]


def missing_files(kustomization: Kustomization, folder: Path) -> Iterator[str]:
    """Files that a kustomization names and that do not exist."""
    for name in files_of(kustomization):
        if not (folder / name).exists():
            yield f"{name} does not exist"


def unused(folder: Path) -> list[str]:
    """Files that no kustomization names."""
    lines = []
    for path in sorted(folder.rglob("kustomization.yaml")):
        named = {path.name, *files_of(yaml.safe_load(path.read_text()))}
        files = {file.name for file in path.parent.glob("*.yaml")} - named
        lines += [f"{path.parent.name}/{name}: no kustomization names it" for name in sorted(files)]
    return lines


def patches(folder: Path) -> list[str]:
    """The problems of inline patches: missing targets, and the errors of patched targets."""
    objects = [item for path in sorted(folder.rglob("*.yaml")) for item in yaml.safe_load_all(path.read_text()) if item]
    lines = []
    for path in sorted(folder.rglob("kustomization.yaml")):
        for patch in yaml.safe_load(path.read_text()).get("patches", []):
            if "patch" not in patch:
                continue
            target, change = patch["target"], yaml.safe_load(patch["patch"])
            targets = [item for item in objects if is_target(item, target)]
            where = f"{path.parent.name}: patch of {target['kind']}/{target.get('name')}"
            lines += [] if targets else [f"{where}: it has no target"]
            results = [merged(item, change) for item in targets if change.get("$patch") != "delete"]
            lines += [f"{where}: {line}" for result in results for line in of(result, path)]
    return lines


def is_target(document: Manifest, target: Target) -> bool:
    name = document.get("metadata", {}).get("name", "")
    return document.get("kind") == target["kind"] and re.fullmatch(target.get("name", ".*"), name) is not None


def merged(document: Any, change: Any) -> Any:
    """A strategic merge patch applied to a document: null removes, and lists of named objects are merged by name."""
    if isinstance(change, Mapping):
        base = document if isinstance(document, Mapping) else {}
        both = {**base, **{name: merged(base.get(name), value) for name, value in change.items()}}
        return {name: value for name, value in both.items() if value is not None}
    if isinstance(change, list) and all(isinstance(item, Mapping) and "name" in item for item in change):
        by_name = {item["name"]: item for item in document or []}
        return list((by_name | {item["name"]: merged(by_name.get(item["name"]), item) for item in change}).values())
    return change


def built(folder: Path) -> list[str]:
    """The problems in the output of `kubectl kustomize` for each kustomization that is not a component of another; none
    without kubectl.
    """
    if (kubectl := shutil.which("kubectl")) is None:
        return []
    lines = []
    with tempfile.TemporaryDirectory() as temporary:
        copy = Path(shutil.copytree(folder, Path(temporary) / "k8s"))
        for example in copy.rglob(EXAMPLE):
            shutil.copy(example, example.with_suffix(""))
        for path in sorted(copy.rglob("kustomization.yaml")):
            if yaml.safe_load(path.read_text())["kind"] == COMPONENT:
                continue
            command = [kubectl, "kustomize", str(path.parent)]
            process = subprocess.run(command, capture_output=True, text=True, timeout=60)
            name = path.parent.name
            if process.returncode:
                lines.append(f"kubectl kustomize {name}: {process.stderr.strip()}")
                continue
            documents = yaml.safe_load_all(process.stdout)
            lines += [f"kubectl kustomize {name}: {line}" for item in documents for line in of(item, path)]
    return lines


def main() -> int:
    lines = problems(Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER)
    print(*lines, sep="\n")
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
