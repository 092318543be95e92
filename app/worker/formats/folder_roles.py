"""Folder names that describe only the kind of contents: images, labels, JPEGImages."""

from app.worker.formats.paths import WORDS, split_of

# Names of folders for images or labels, which say nothing about what a file belongs to.
ROLES = frozenset(
    {
        "image",
        "images",
        "img",
        "imgs",
        "jpegimages",
        "jpg",
        "jpgs",
        "jpeg",
        "png",
        "pic",
        "pics",
        "picture",
        "pictures",
        "photo",
        "photos",
        "frames",
        "rgb",
        "input",
        "inputs",
        "label",
        "labels",
        "lbl",
        "lbls",
        "annotation",
        "annotations",
        "annot",
        "annots",
        "anno",
        "ann",
        "anns",
        "txt",
        "txts",
        "text",
        "bbox",
        "bboxes",
        "box",
        "boxes",
        "yolo",
        "gt",
        "groundtruth",
        "target",
        "targets",
        "darknet",
        "imagens",
        "rotulos",
        "anotacoes",
        "imagenes",
        "etiquetas",
        "bilder",
    }
)


def is_role(folder: str) -> bool:
    """Whether a folder's name describes only its kind of contents, or its split."""
    return all(word.casefold() in ROLES or split_of(word) for word in WORDS.findall(folder))
