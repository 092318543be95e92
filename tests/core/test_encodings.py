"""Words of many languages in the encodings of Windows and old tools are decoded as they were typed."""

import pytest

from app.core.encodings import NAMES, decode

WORDS = {
    "pt": "caminhão\nônibus\npessoa\navião\n",
    "pt short": "camião\n",
    "pt capitals": "CAMINHÃO\nÔNIBUS\n",
    "es": "señal\ncamión\nniño\n",
    "fr": "vélo\nvoiture\nfeu arrêté\n",
    "de": "Fußgänger\nLKW\nTür\n",
    "sv": "människa\nbåt\nväg\n",
    "degrees": "ângulo 45°\nnível\n",
    "pl": "człowiek\nłódź\nżółw\n",
    "cs": "člověk\nžába\nkůň\n",
    "ru": "машина\nчеловек\nсобака\n",
    "ru names": "Грузовик\nКошка\n",
    "ru short": "кот\n",
    "zh": "汽车\n行人\n自行车\n",
    "zh short": "猫\n狗\n",
    "zh folder": "数据集/images/图片_000.jpg",
    "tw": "汽車\n行人\n腳踏車\n",
    "tw short": "卡車\n貓\n",
    "ja": "くるま\n人\n自転車\n",
    "ja kanji": "信号機\n歩行者\n",
    "ja kana": "トラック\nバス\n",
    "ko": "자동차\n사람\n자전거\n",
    "el": "αυτοκίνητο\nσκύλος\n",
}
TEXTS = [
    *((word, "cp1252") for word in ("pt", "pt short", "pt capitals", "es", "fr", "de", "sv", "degrees")),
    *((word, "cp1250") for word in ("pl", "cs")),
    *((word, encoding) for word in ("ru", "ru names", "ru short") for encoding in ("cp1251", "koi8_r")),
    *((word, "gbk") for word in ("zh", "zh short", "zh folder")),
    *((word, "cp950") for word in ("tw", "tw short")),
    *((word, "cp932") for word in ("ja", "ja kanji", "ja kana")),
    ("ja", "euc_jp"),
    ("ko", "cp949"),
    ("el", "cp1253"),
    *((word, encoding) for word in ("pt", "zh", "ru", "ja") for encoding in ("utf-8", "utf-8-sig", "utf-16")),
    ("pt", "utf-16-le"),
    ("pt", "utf-16-be"),
]
ZIPPED = [
    *((word, encoding) for word in ("pt", "pt short", "es", "fr", "de", "sv") for encoding in ("cp850",)),
    *((word, "cp437") for word in ("es", "fr", "de", "sv")),
    *((word, "cp852") for word in ("pl", "cs")),
    *((word, "cp866") for word in ("ru", "ru names", "ru short")),
    *((word, "gbk") for word in ("zh", "zh short", "zh folder")),
    ("tw", "cp950"),
    ("ko", "cp949"),
    *((word, "cp932") for word in ("ja", "ja kanji", "ja kana")),
    ("pt", "cp1252"),
    ("ru", "cp1251"),
]


@pytest.mark.parametrize(("word", "encoding"), TEXTS)
def test_texts_are_read_as_they_were_typed(word: str, encoding: str) -> None:
    assert decode(WORDS[word].encode(encoding)).text == WORDS[word]


@pytest.mark.parametrize(("word", "encoding"), ZIPPED)
def test_names_in_old_zips(word: str, encoding: str) -> None:
    assert decode(WORDS[word].encode(encoding), NAMES).text == WORDS[word]


def test_anything_can_be_read() -> None:
    every = bytes(range(256))
    assert len(decode(every).text) == 256
    assert decode(b"").text == ""


def test_a_close_call_names_the_alternative_encodings() -> None:
    assert decode("ê\n".encode("cp1252")).alternatives
    assert not decode("caminhão\nônibus\n".encode("cp1252")).alternatives
