"""Which column of a table of boxes holds what, by the usual headings."""

import re
from dataclasses import dataclass

IMAGES = ("imageid", "imagename", "imagepath", "imagefile", "imagefilename", "image", "images", "filename", "filepath",
          "file", "imgname", "imgpath", "imgid", "imgfile", "img", "path", "externalid", "picture", "photo", "frame",
          "frameid", "name", "id")  # fmt: skip
CLASSES = ("classname", "labelname", "categoryname", "class", "label", "labels", "category", "objectclass",
           "objectname", "object", "classlabel", "tag", "species", "type", "name", "classid", "labelid", "categoryid",
           "cls", "target")  # fmt: skip
SPLITS = ("split", "set", "subset", "partition", "usage", "dataset", "purpose")
CORNERS = (("xmin", "ymin", "xmax", "ymax"), ("x0", "y0", "x1", "y1"), ("x1", "y1", "x2", "y2"),
           ("left", "top", "right", "bottom"), ("xtl", "ytl", "xbr", "ybr"), ("minx", "miny", "maxx", "maxy"),
           ("xleft", "ytop", "xright", "ybottom"), ("bboxx1", "bboxy1", "bboxx2", "bboxy2"),
           ("bboxxmin", "bboxymin", "bboxxmax", "bboxymax"), ("roix1", "roiy1", "roix2", "roiy2"),
           ("xstart", "ystart", "xend", "yend"), ("startx", "starty", "endx", "endy"))  # fmt: skip
CENTRES = (("xcenter", "ycenter"), ("xcentre", "ycentre"), ("centerx", "centery"), ("cx", "cy"), ("xc", "yc"),
           ("bboxxcenter", "bboxycenter"))  # fmt: skip
STARTS = (("x", "y"), ("xmin", "ymin"), ("left", "top"), ("bboxx", "bboxy"), ("boxx", "boxy"), ("x1", "y1"),
          ("xtopleft", "ytopleft"), ("bbox0", "bbox1"))  # fmt: skip
SIDES = (("w", "h"), ("width", "height"), ("bboxwidth", "bboxheight"), ("bboxw", "bboxh"), ("boxwidth", "boxheight"),
         ("boxw", "boxh"), ("bbox2", "bbox3"))  # fmt: skip
BOXES = ("bbox", "box", "boundingbox", "bndbox", "bboxxyxy", "bboxxywh", "xyxy", "xywh", "boxes", "bboxes",
         "coordinates")  # fmt: skip
SIZES = (("width", "height"), ("imagewidth", "imageheight"), ("imgwidth", "imgheight"), ("imgw", "imgh"),
         ("imagew", "imageh"), ("originalwidth", "originalheight"))  # fmt: skip
RUNS = ("encodedpixels", "rlemask", "rle", "encodedmask", "maskrle", "encoding")


@dataclass
class Columns:
    """The places of columns; -1 where there is none.

    Attributes:
        box: places of four numbers, or of one cell with four.
        kind: "corners" (left, top, right, bottom), "sides" (left, top, width, height), "centre" (centre and sides),
            "cell" (one cell, as the numbers show) or "runs" (one cell with a mask as Kaggle writes it).
        size: places of the image's width and height.
    """

    image: int
    label: int
    box: tuple[int, ...]
    kind: str
    split: int = -1
    size: tuple[int, ...] = ()
    crowd: int = -1  # Open Images: a box round many


def plain(heading: str) -> str:
    """ "xmin" of "X_Min" and of "x min (px)"."""
    return re.sub(r"[^a-z0-9]+", "", re.sub(r"\(.*?\)|\[.*?\]", "", heading).casefold())


def columns_of(header: list[str]) -> Columns | None:
    """What the columns of a header hold; None where there is no image or no box."""
    names = [plain(cell) for cell in header]
    at = {name: place for place, name in reversed(list(enumerate(names)))}
    found = box_of(at)
    if found is None:
        return None
    box, kind = found
    image = next((at[name] for name in IMAGES if name in at and at[name] not in box), -1)
    label = next((at[name] for name in CLASSES if name in at and at[name] not in {image, *box}), -1)
    if image < 0:
        return None
    sizes = [(at[one], at[other]) for one, other in SIZES if one in at and other in at]
    size = next((pair for pair in sizes if not set(pair) & set(box)), ())
    split = next((at[name] for name in SPLITS if name in at and at[name] not in {image, label}), -1)
    return Columns(image, label, box, kind, split, size, at.get("isgroupof", -1))


def box_of(at: dict[str, int]) -> tuple[tuple[int, ...], str] | None:
    """The places of the box, and how it is written."""
    for four in CORNERS:
        if all(name in at for name in four):
            return tuple(at[name] for name in four), "corners"
    for places, kind in ((CENTRES, "centre"), (STARTS, "sides")):
        for one in places:
            for sides in SIDES:
                if all(name in at for name in (*one, *sides)):
                    return tuple(at[name] for name in (*one, *sides)), kind
    cell = next((name for name in BOXES if name in at), None)
    if cell:
        kinds = {"bboxxyxy": "corners", "xyxy": "corners", "bboxxywh": "sides", "xywh": "sides"}
        return (at[cell],), kinds.get(cell, "cell")
    runs = next((at[name] for name in RUNS if name in at), None)
    return None if runs is None else ((runs,), "runs")
