"""Maps the columns of a table of boxes by their usual headers."""

import re
import unicodedata
from dataclasses import dataclass

IMAGES = (
    "imageid",
    "imagename",
    "imagepath",
    "imagefile",
    "imagefilename",
    "image",
    "images",
    "filename",
    "filepath",
    "file",
    "imgname",
    "imgpath",
    "imgid",
    "imgfile",
    "img",
    "path",
    "externalid",
    "picture",
    "photo",
    "frame",
    "frameid",
    "imagem",
    "imagen",
    "arquivo",
    "nomearquivo",
    "nomedoarquivo",
    "archivo",
    "fichier",
    "fichero",
    "datei",
    "bild",
    "imageurl",
    "asset",
    "name",
    "id",
)
CLASSES = (
    "classname",
    "labelname",
    "categoryname",
    "class",
    "label",
    "labels",
    "category",
    "objectclass",
    "objectname",
    "object",
    "classlabel",
    "tag",
    "species",
    "classe",
    "clase",
    "rotulo",
    "etiqueta",
    "categoria",
    "klasse",
    "annotationtag",
    "labelclass",
    "type",
    "name",
    "classid",
    "labelid",
    "categoryid",
    "cls",
    "target",
)
SPLITS = ("split", "set", "subset", "partition", "usage", "dataset", "purpose")
CORNERS = (
    ("xmin", "ymin", "xmax", "ymax"),
    ("x0", "y0", "x1", "y1"),
    ("x1", "y1", "x2", "y2"),
    ("left", "top", "right", "bottom"),
    ("xtl", "ytl", "xbr", "ybr"),
    ("minx", "miny", "maxx", "maxy"),
    ("xleft", "ytop", "xright", "ybottom"),
    ("bboxx1", "bboxy1", "bboxx2", "bboxy2"),
    ("bboxxmin", "bboxymin", "bboxxmax", "bboxymax"),
    ("roix1", "roiy1", "roix2", "roiy2"),
    ("xstart", "ystart", "xend", "yend"),
    ("startx", "starty", "endx", "endy"),
    ("upperleftcornerx", "upperleftcornery", "lowerrightcornerx", "lowerrightcornery"),
    ("topleftx", "toplefty", "bottomrightx", "bottomrighty"),
    ("xtopleft", "ytopleft", "xbottomright", "ybottomright"),
    ("ulx", "uly", "lrx", "lry"),
)
CENTRES = (
    ("xcenter", "ycenter"),
    ("xcentre", "ycentre"),
    ("centerx", "centery"),
    ("cx", "cy"),
    ("xc", "yc"),
    ("bboxxcenter", "bboxycenter"),
)
STARTS = (
    ("x", "y"),
    ("xmin", "ymin"),
    ("left", "top"),
    ("bboxx", "bboxy"),
    ("boxx", "boxy"),
    ("x1", "y1"),
    ("xtopleft", "ytopleft"),
    ("bbox0", "bbox1"),
)
SIDES = (
    ("w", "h"),
    ("width", "height"),
    ("bboxwidth", "bboxheight"),
    ("bboxw", "bboxh"),
    ("boxwidth", "boxheight"),
    ("boxw", "boxh"),
    ("bbox2", "bbox3"),
)
BOXES = (
    "bbox",
    "box",
    "boundingbox",
    "bndbox",
    "bboxxyxy",
    "bboxxywh",
    "xyxy",
    "xywh",
    "boxes",
    "bboxes",
    "coordinates",
    "annotations",
)
SIZES = (
    ("width", "height"),
    ("imagewidth", "imageheight"),
    ("imgwidth", "imgheight"),
    ("imgw", "imgh"),
    ("imagew", "imageh"),
    ("originalwidth", "originalheight"),
)
FOUR_POINTS = tuple(f"{axis}{point}" for point in (1, 2, 3, 4) for axis in "xy")
STRINGS = ("predictionstring",)
OUTLINES = ("polygon", "polygons", "segmentation", "points", "vertices", "contour", "outline", "polygonpoints")
RUNS = ("encodedpixels", "rlemask", "rle", "encodedmask", "maskrle", "encoding")


@dataclass
class TableColumns:
    """The indexes of columns; -1 if missing.

    Attributes:
        box: indexes of four numbers, or of one cell with four.
        kind: "corners" (left, top, right, bottom), "sides" (left, top, width, height), "centre" (center and size),
            "points" (four corners), "cell" (one cell, to be detected, or a list of boxes), "string" (one cell, a
            PredictionString), "outline" (one cell with the points of a polygon) or "runs" (one cell with Kaggle's mask
            encoding).
        size: indexes of the image's width and height.
    """

    image: int
    label: int
    box: tuple[int, ...]
    kind: str
    split: int = -1
    size: tuple[int, ...] = ()
    crowd: int = -1  # Open Images: a box around a group


def normalised_heading(heading: str) -> str:
    """ "xmin" for "X_Min" and "x min (px)"."""
    bare = unicodedata.normalize("NFKD", re.sub(r"\(.*?\)|\[.*?\]", "", heading)).casefold()
    return re.sub(r"[^a-z0-9]+", "", bare)


def columns_of(header: list[str]) -> TableColumns | None:
    """The columns of a header; None if an image or a box is missing."""
    names = [normalised_heading(cell) for cell in header]
    at = {name: index for index, name in reversed(list(enumerate(names)))}
    box_columns = box_of(at)
    if box_columns is None:
        return None
    box, kind = box_columns
    image = next((at[name] for name in IMAGES if name in at and at[name] not in box), -1)
    label = next((at[name] for name in CLASSES if name in at and at[name] not in {image, *box}), -1)
    if image < 0:
        return None
    sizes = [(at[width], at[height]) for width, height in SIZES if width in at and height in at]
    size = next((pair for pair in sizes if not set(pair) & set(box)), ())
    split = next((at[name] for name in SPLITS if name in at and at[name] not in {image, label}), -1)
    return TableColumns(image, label, box, kind, split, size, at.get("isgroupof", -1))


def box_of(at: dict[str, int]) -> tuple[tuple[int, ...], str] | None:
    """The indexes of the box, and its form."""
    if all(name in at for name in FOUR_POINTS):
        return tuple(at[name] for name in FOUR_POINTS), "points"
    for four in CORNERS:
        if all(name in at for name in four):
            return tuple(at[name] for name in four), "corners"
    for headings, kind in ((CENTRES, "centre"), (STARTS, "sides")):
        for one in headings:
            for sides in SIDES:
                if all(name in at for name in (*one, *sides)):
                    return tuple(at[name] for name in (*one, *sides)), kind
    cell = next((name for name in BOXES if name in at), None)
    if cell:
        kinds = {"bboxxyxy": "corners", "xyxy": "corners", "bboxxywh": "sides", "xywh": "sides"}
        return (at[cell],), kinds.get(cell, "cell")
    strings = next((at[name] for name in STRINGS if name in at), None)
    if strings is not None:
        return (strings,), "string"
    outline = next((at[name] for name in OUTLINES if name in at), None)
    if outline is not None:
        return (outline,), "outline"
    runs = next((at[name] for name in RUNS if name in at), None)
    return None if runs is None else ((runs,), "runs")
