"""Long rows are stored in a file, and read back unchanged."""

from pathlib import Path

from app.worker.formats.model import Row
from app.worker.formats.text_store import TextStore, texts
from tests.worker.formats.helpers import read_dataset, write
from tests.worker.formats.test_layouts import yolo


def outline(points: int, number: int) -> str:
    return " ".join(["0", *(f"0.{number:03}{index:03}" for index in range(1, 2 * points + 1))])


def test_texts_come_back(tmp_path: Path) -> None:
    store = TextStore()
    texts = [outline(points, points) for points in (3, 400, 90_000)] + ["ü" * 500, ""]
    numbers = [store.add(text) for text in texts]
    assert [store.get(number) for number in reversed(numbers)] == texts[::-1]
    assert store.size == sum(len(text.encode()) for text in texts)


def test_a_long_row_is_not_in_the_memory() -> None:
    before = texts.size
    short, long = Row("0 0.5 0.5 0.2 0.2", "a.xml", 1), Row(outline(60, 1), "a.json", 2)
    assert texts.size - before == len(outline(60, 1))
    assert (short.text, long.text) == ("0 0.5 0.5 0.2 0.2", outline(60, 1))
    long.text = long.text.replace("0 ", "1 ", 1)
    assert long.text == f"1{outline(60, 1)[1:]}"


def test_merged_datasets_preserve_their_outlines(tmp_path: Path) -> None:
    files = yolo("a/", 3, row=f"{outline(60, 2)}\n") | yolo("b/", 3, row=f"{outline(60, 3)}\n")
    files |= {"a/data.yaml": "names: [one]\n", "b/data.yaml": "names: [two]\n"}
    merged = read_dataset(write(tmp_path, files), merge=True)
    rows = {item.name: item.rows for item in merged.items}
    assert {row.text for name, rows_ in rows.items() if rows_ for row in rows_ if name.startswith("b/")} == {
        f"1{outline(60, 3)[1:]}"
    }
