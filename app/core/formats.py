"""The dataset formats that can be read. README, wiki, API choices and the pages' names follow from this list."""

from dataclasses import dataclass

from app.core.tasks import LOCALIZED, TASKS


@dataclass(frozen=True)
class DatasetFormat:
    """One format.

    Args:
        key: its name in the API.
        title: its usual name; "" if the name is a translated text.
        signs: how it is recognized, for the wiki (Portuguese).
        tasks: tasks that its labels can be for.
        exports: the tool's name of this export, for README (English); "" if the title says it.
    """

    key: str
    title: str
    signs: str
    tasks: tuple[str, ...]
    exports: str = ""


BOXES = ("detect",)
OUTLINES = ("detect", "segment")
TURNED = ("detect", "segment", "obb")
POINTS = ("detect", "segment", "pose")

FORMATS = (
    DatasetFormat(
        "yolo",
        "YOLO",
        "`images/train` + `labels/train`, `train/images` + `train/labels`, `images` + `labels`, ou "
        "cada imagem ao lado do seu `.txt`",
        LOCALIZED,
        "YOLO in any common layout (ultralytics, Roboflow)",
    ),
    DatasetFormat(
        "darknet", "YOLO (darknet)", "`obj.names`, `obj.data`, listas `train.txt` e `val.txt`", BOXES, "darknet"
    ),
    DatasetFormat("cvat-yolo", "YOLO (CVAT)", "`obj_train_data/`, `obj.data`", BOXES, "YOLO of CVAT"),
    DatasetFormat(
        "coco", "COCO", "JSON com `images` e `annotations`, um por conjunto ou um por classe", POINTS, "COCO JSON"
    ),
    DatasetFormat(
        "voc",
        "Pascal VOC",
        "um XML por imagem, ou um de todas; as listas de `ImageSets/Main` valem",
        ("detect", "segment", "obb"),
        "Pascal VOC XML",
    ),
    DatasetFormat(
        "cvat",
        "CVAT",
        "`annotations.xml` “for images 1.1” ou “for video 1.1” (faixas, `track`)",
        ("detect", "segment", "pose", "obb"),
        "CVAT for images 1.1 and for video 1.1 (tracks)",
    ),
    DatasetFormat(
        "labelme",
        "LabelMe",
        "um JSON com `shapes` por imagem, ao lado dela ou com a imagem dentro, em `imageData` (labelme, X-AnyLabeling)",
        ("detect", "segment", "pose", "obb"),
        "LabelMe and X-AnyLabeling JSON",
    ),
    DatasetFormat("createml", "CreateML", "JSON com `image` e `annotations`", BOXES, "CreateML JSON"),
    DatasetFormat(
        "csv",
        "CSV",
        "uma linha por objeto: Kaggle, Open Images, Roboflow e TensorFlow, VoTT, AutoML, "
        "keras-retinanet, makesense; listas de caixas ou polígonos numa célula, `PredictionString`; máscaras "
        "`EncodedPixels`",
        OUTLINES,
        "CSV of Kaggle, Open Images, Roboflow, TensorFlow, VoTT and AutoML",
    ),
    DatasetFormat(
        "label-studio", "Label Studio", "JSON, JSON-MIN ou CSV", TURNED, "Label Studio JSON, JSON-MIN and CSV"
    ),
    DatasetFormat("supervisely", "Supervisely", "`meta.json`, `*/img/` e `*/ann/*.json`", POINTS, "Supervisely"),
    DatasetFormat("darwin", "Darwin (V7)", "um JSON com `item` e `annotations` por imagem", POINTS, "Darwin JSON (V7)"),
    DatasetFormat(
        "via", "VIA", "JSON ou CSV do VGG Image Annotator 1, 2 e 3", OUTLINES, "VGG Image Annotator JSON and CSV"
    ),
    DatasetFormat(
        "datumaro",
        "Datumaro",
        "`annotations/*.json` com `categories` e `items`",
        ("detect", "segment", "pose", "obb"),
        "Datumaro JSON",
    ),
    DatasetFormat("labelbox", "Labelbox", "NDJSON ou JSON com `data_row` e `projects`", OUTLINES, "Labelbox NDJSON"),
    DatasetFormat(
        "ultralytics", "Ultralytics NDJSON", "a primeira linha tem `type: dataset`", LOCALIZED, "Ultralytics NDJSON"
    ),
    DatasetFormat(
        "masks",
        "",
        "PNG de máscara (JPEG, se só preto e branco) com o nome da imagem, em `masks/`, `SegmentationClass/` … (classe "
        "por pixel, cores de `labelmap.txt`, ou um objeto por cor em `SegmentationObject/`)",
        OUTLINES,
        "mask PNGs",
    ),
    DatasetFormat(
        "csv-classes",
        "CSV (classes)",
        "uma linha por imagem, com o arquivo e a classe, ou uma coluna de 0 e 1 por classe; só quando não há pastas de "
        "classes",
        ("classify",),
        "CSV of images and their classes",
    ),
    DatasetFormat(
        "folders",
        "",
        "`train/CLASSE/…`, `val/CLASSE/…`; `CLASSE/…`: duas ou mais pastas lado a lado, com duas "
        "ou mais imagens cada e nada que pareça anotação; nos outros casos, quando a tarefa `classify` é pedida "
        "(campo **Tarefa** do upload)",
        ("classify",),
        "folders of classes",
    ),
)
KEYS = tuple(item.key for item in FORMATS)


def readme_list() -> str:
    """The sentence of README: each format once."""
    *names, last = [item.exports or item.title for item in FORMATS]
    return f"{', '.join(names)} or {last}"


def wiki_table() -> str:
    """The rows of the wiki's table."""
    rows = ["| Formato | `format` | Reconhecido por | Tarefas |", "| --- | --- | --- | --- |"]
    names = {"masks": "Máscaras PNG", "folders": "Pastas de classes"}
    for item in FORMATS:
        tasks = "todas" if item.tasks == TASKS else ", ".join(item.tasks)
        rows.append(f"| {item.title or names[item.key]} | `{item.key}` | {item.signs} | {tasks} |")
    return "\n".join(rows)
