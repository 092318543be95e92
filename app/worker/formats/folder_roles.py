"""Folder names that say only what is in them: images, labels, JPEGImages."""

from app.worker.formats.paths import WORDS, split_of

# What the folders of images or labels are called; such a word tells nothing of where a file belongs.
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
    """Whether a folder's name says only what is in it, and in which split."""
    return all(word.casefold() in ROLES or split_of(word) for word in WORDS.findall(folder))
