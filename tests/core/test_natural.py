"""Names are sorted in natural order."""

from app.core.natural import natural_key


def test_numbers_sort_by_their_value() -> None:
    names = ["image10.jpg", "image2.jpg", "Image1.jpg", "image1b.jpg", "a/10/1.jpg", "a/9/12.jpg", "image002.jpg"]
    assert sorted(names, key=natural_key) == [
        "a/9/12.jpg",
        "a/10/1.jpg",
        "Image1.jpg",
        "image1b.jpg",
        "image002.jpg",
        "image2.jpg",
        "image10.jpg",
    ]


def test_no_two_names_are_equal() -> None:
    assert natural_key("image01") != natural_key("image1")
    assert sorted(["9" * 300, "1" + "0" * 300], key=natural_key)[0] == "9" * 300
