"""A version as YOLO: its own files, with a data.yaml whose paths are relative."""

import yaml

from app.worker.formats.export_run import ExportRun


def write(job: ExportRun) -> None:
    """images/, labels/ and data.yaml; for classification train/CLASS/… as ultralytics expects."""
    revision = job.revision
    if revision.classification:
        for picture in revision.pictures:
            job.archive.image(f"{picture.split}/{picture.name}", picture.path)
            job.objects += 1
            job.on_image()
        return
    document: dict[str, object] = {split: f"images/{split}" for split in revision.splits}
    document |= {"nc": len(revision.names), "names": dict(enumerate(revision.names))}
    document |= {key: revision.document[key] for key in ("kpt_shape", "flip_idx") if key in revision.document}
    job.archive.text("data.yaml", [yaml.safe_dump(document, allow_unicode=True, sort_keys=False)])
    written: set[str] = set()
    for picture in revision.pictures:
        job.archive.image(f"images/{picture.split}/{picture.name}", picture.path)
        name = picture.label.relative_to(revision.folder).as_posix()
        if name not in written and picture.label.is_file():
            written.add(name)
            content = picture.label.read_bytes()
            job.objects += sum(1 for line in content.splitlines() if line.strip())
            job.archive.content(name, content)
        job.on_image()
