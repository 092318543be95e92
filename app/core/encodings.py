"""Detects the encoding of texts that are not UTF-8.

No rule decides this, so the likeliest reading does. Each candidate's text is scored by its characters: letters of one
script in a word, lowercase letters after lowercase ones, characters that a language uses often. The scores are this
project's own; `tests/core/test_encodings.py` has words that they must decode.
"""

import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

BOMS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe\0\0", "utf-32"),
    (b"\0\0\xfe\xff", "utf-32"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# In order of preference among equal scores.
TEXTS = (
    "cp1252",
    "gb18030",
    "cp932",
    "cp950",
    "cp949",
    "cp1251",
    "euc_jp",
    "cp1250",
    "koi8_r",
    "cp1253",
    "cp1254",
    "cp1255",
    "cp1256",
    "cp874",
    "cp850",
    "cp866",
    "mac_roman",
)
# For file names in a ZIP without the UTF-8 flag, where the console's code pages are likelier.
NAMES = (
    "cp850",
    "cp437",
    "gb18030",
    "cp932",
    "cp950",
    "cp949",
    "cp866",
    "cp852",
    "cp1252",
    "cp1251",
    "euc_jp",
    "cp737",
    "cp857",
    "cp862",
    "cp874",
    "cp1250",
    "koi8_r",
)
MOST = 4096  # characters that are scored
MARGIN = 0.15  # lead of the best reading over the next one, below which the next is reported as an alternative

SIMPLIFIED = frozenset(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能好"
    "都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长车马牛羊猪狗猫鸟鱼鸡鸭树木花草叶"
    "果苹蕉橙瓜红绿蓝黄白黑灰左右内外数据集图像片照标注类别训练测试验证名称目录文件夹新建男女孩交通灯路桥船飞机火自行摩托货"
    "卡客轿警安全帽戴未佩烟雾裂缝缺陷划痕钢铁电线杆水杯瓶刀剑枪门窗桌椅床书笔脸眼口鼻耳足球篮狮虎象熊猴兔鼠蛇虫蜂蝶"
)
TRADITIONAL = frozenset(
    "的一是不了在人有我他這中大來上國個到說們為子和你地出道也時年得就那要下以生會自著去之過家學對可她裡後小麼心多天而能好"
    "都然沒日於起還發成事只作當想看文無開手十用主行方又如前所本見經頭面公同三已老從動兩長車馬牛羊豬狗貓鳥魚雞鴨樹木花草葉"
    "果蘋蕉橙瓜紅綠藍黃白黑灰左右內外數據集圖像片照標註類別訓練測試驗證名稱目錄文件夾新建男女孩交通燈路橋船飛機火自行摩托貨"
    "卡客轎警安全帽戴未佩煙霧裂縫缺陷劃痕鋼鐵電線桿水杯瓶刀劍槍門窗桌椅床書筆臉眼口鼻耳足球籃獅虎象熊猴兔鼠蛇蟲蜂蝶"
)
JAPANESE = frozenset(
    "日一人大年出本中子見国言上分生手自行者二間事思時気会十家女三前的方入小地合後目長場代私下立部学物月田何来彼話体動社"
    "知理山内同心発高実作当新世今書度明五戦力名金性対意用男主通関文屋感郎業定政持道外取所現最化四先民身不口川東相法全画像車"
    "犬猫鳥魚馬牛木花草赤青緑黒白左右図写真訓練検証試験類転駅電信号機船猿桜果実林檎蜜柑傷欠陥"
)
HANGUL = frozenset(
    "이다는에의을가고하지한로기도사리은를시서나어자인라대들그해과만수일정아게전보부제상었여있조주구장면것스동으신원년국"
    "유공성세미비트차람개양새물고양이강아지자동차버스트럭사람남여나무꽃사과바나나오렌지신호등오토바이자전거비행기배문창손얼굴눈"
    "코입귀발말소돼지닭오리곰호랑이사자토끼쥐뱀벌빨강파랑노랑초록검정하양학습검증시험사진그림폴더새"
)
FREQUENT = {"CYRILLIC": frozenset("оеаинтсрвлкмдпу"), "GREEK": frozenset("αοιετσνηυρπκλμωόίάέ")}
# Letters of Western Europe by frequency; those of Central Europe and Turkey are rarer.
WESTERN = frozenset("áàâãäåæçéèêëíìîïñóòôõöøœúùûüßÿÁÀÂÃÄÅÆÇÉÈÊËÍÎÏÑÓÔÕÖØŒÚÜ")
CENTRAL = frozenset("ąćęłńśźżčďěňřšťůžűâîșşțţđĄĆĘŁŃŚŹŻČĎĚŇŘŠŤŮŽŰÂÎŞŢĐ")
TURKISH = frozenset("ğışİöüçĞŞÖÜÇ")
COMMON = {
    "cp1252": WESTERN,
    "cp850": WESTERN,
    "cp437": WESTERN,
    "mac_roman": WESTERN,
    "cp1250": CENTRAL | WESTERN,
    "cp852": CENTRAL | WESTERN,
    "cp1254": TURKISH | WESTERN,
    "cp857": TURKISH | WESTERN,
}
OFTEN = {"gb18030": SIMPLIFIED, "cp950": TRADITIONAL, "cp932": JAPANESE, "euc_jp": JAPANESE, "cp949": HANGUL}
MARKS = frozenset("°ªº²³–—‘’“”…·•€£§®©™«»¿¡½¼¾µ×±")
PENALTY = {
    "cp1250": 0.1,
    "cp852": 0.1,
    "cp1254": 0.2,
    "cp857": 0.2,
    "koi8_r": 0.1,
    "mac_roman": 0.3,
    "euc_jp": 0.1,
    "cp1253": 0.1,
    "cp737": 0.1,
    "cp1255": 0.1,
    "cp862": 0.1,
    "cp1256": 0.2,
    "cp874": 0.1,
}


@dataclass(frozen=True)
class DecodedText:
    """A text and its detected encoding; `alternatives` score nearly as well with another text, best first."""

    text: str
    encoding: str
    alternatives: tuple[str, ...] = ()


def decode(raw: bytes, candidates: Iterable[str] = TEXTS) -> DecodedText:
    """The likeliest text of these bytes: by its byte order mark, as UTF-8, or as the best candidate."""
    for mark, encoding in BOMS:
        if raw.startswith(mark):
            return DecodedText(raw.decode(encoding, "replace").lstrip("\ufeff"), encoding)
    wide = without_mark(raw)
    if wide:
        return DecodedText(raw.decode(wide, "replace"), wide)
    try:
        return DecodedText(raw.decode(), "utf-8")
    except UnicodeDecodeError:
        return best(raw, candidates)


def without_mark(raw: bytes) -> str | None:
    """UTF-16 without a byte order mark, by its zero bytes: in Western text, every second byte is 0."""
    head = raw[:MOST]
    if len(head) < 4 or len(head) % 2 or b"\0" not in head:
        return None
    even, odd = head[::2].count(0), head[1::2].count(0)
    half = len(head) // 2
    if odd > 0.4 * half and not even:
        return "utf-16-le"
    return "utf-16-be" if even > 0.4 * half and not odd else None


def best(raw: bytes, candidates: Iterable[str]) -> DecodedText:
    """The candidate with the best score; latin-1, which decodes anything, if none can decode."""
    ranked = readings(raw, candidates)
    if not ranked:
        return DecodedText(raw.decode("latin-1"), "latin-1")
    top, encoding, text = ranked[0]
    close = [name for score, name, other in ranked[1:] if score > top - MARGIN and other != text]
    return DecodedText(text, encoding, tuple(close))


def readings(raw: bytes, candidates: Iterable[str]) -> list[tuple[float, str, str]]:
    """Score, encoding and text of each candidate that can read the bytes, best first."""
    possible = []
    for order, encoding in enumerate(candidates):
        try:
            text = raw.decode(encoding)
        except UnicodeDecodeError:
            continue
        possible.append((score(text[:MOST], encoding), -order, encoding, text))
    possible.sort(reverse=True)
    return [(points, encoding, text) for points, _, encoding, text in possible]


def score(text: str, encoding: str) -> float:
    """How plausible a text is: the mean score of its characters beyond ASCII."""
    worth = [points for word in words(text) for points in weighed(word, encoding)]
    return sum(worth) / len(worth) - PENALTY.get(encoding, 0.0) if worth else 0.0


def words(text: str) -> Iterator[str]:
    """Its runs without spaces and ASCII punctuation that contain more than ASCII."""
    run = "".join(char if char.isalnum() or ord(char) > 127 else " " for char in text)
    return (word for word in run.split() if not word.isascii())


def weighed(word: str, encoding: str) -> Iterator[float]:
    """The score of each character beyond ASCII in a word."""
    beyond = sum(ord(char) > 127 for char in word)
    crowded = len(word) > 2 and beyond > 0.6 * len(word)  # a Latin word has few letters with diacritics
    for at, char in enumerate(word):
        if ord(char) > 127 and encoding in OFTEN:
            yield wide(char, encoding)
        elif ord(char) > 127:
            points = narrow(char, word[at - 1 : at], word[at + 1 : at + 2], encoding)
            yield points - 0.9 * (crowded and script_of(char) == "LATIN")


def wide(char: str, encoding: str) -> float:
    """The score of a character in an East Asian encoding."""
    raw = char.encode(encoding, "replace")
    name = unicodedata.name(char, "")
    if char in OFTEN[encoding]:
        return 2.0
    if "HALFWIDTH" in name or not name or len(raw) != 2:
        return -0.8
    if name.startswith(("HIRAGANA", "KATAKANA")):
        return 1.5 if encoding in {"cp932", "euc_jp"} else -0.3
    if name.startswith("HANGUL"):
        return 1.2 if encoding == "cp949" and raw[0] >= 0xB0 and raw[1] >= 0xA1 else -0.6
    if name.startswith("CJK UNIFIED"):
        return 0.8 if first_level(raw, encoding) else -0.4
    return 0.2 if "FULLWIDTH" in name or "IDEOGRAPHIC" in name else -1.0


def first_level(raw: bytes, encoding: str) -> bool:
    """Whether a Chinese character is among the few thousand common ones of its standard."""
    lead, trail = raw
    if encoding == "gb18030":
        return 0xB0 <= lead <= 0xD7 and trail >= 0xA1
    if encoding == "cp950":
        return 0xA4 <= lead <= 0xC6
    if encoding == "euc_jp":
        return 0xB0 <= lead <= 0xCF
    return encoding == "cp932" and 0x88 <= lead <= 0x98


def narrow(char: str, before: str, after: str, encoding: str) -> float:
    """The score of a character in a single-byte encoding, between its neighbors."""
    kind, script = unicodedata.category(char), script_of(char)
    if kind.startswith("C") or "\u2500" <= char <= "\u259f":
        return -2.5  # control characters; box drawing
    if kind.startswith("M"):
        return 0.6 if script == "THAI" else -0.5
    if not kind.startswith("L"):
        return -0.2 if char in MARKS else -1.0
    if any(neighbour.isalpha() and script_of(neighbour) != script for neighbour in (before, after)):
        return -1.2  # two scripts in one word
    points = -1.0 if char.isupper() and before.islower() else 0.3
    if script in FREQUENT:
        capital = char.isupper() and (before.isupper() or after.isupper())
        return points + (0.6 if char.casefold() in FREQUENT[script] else 0.1) - 0.4 * capital
    if script == "LATIN":
        return points + (0.7 if char in COMMON.get(encoding, WESTERN) and char not in "ªº" else -0.4)
    return points + 0.3


def script_of(char: str) -> str:
    return unicodedata.name(char, "").partition(" ")[0] if ord(char) > 127 else "LATIN"
