"""Settings: parsed once, invalid values named, no secret that others know."""

import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from app.config import ROOT, SETTINGS, SettingError, boolean, database_uri, flask_config, load_settings, size
from app.core.setting_values import cors_origins
from app.secret_key import secret_key


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1048576", 1048576), ("500MB", 500 * 2**20), ("2 GB", 2 * 2**30), ("1k", 1024), ("3tb", 3 * 2**40), (" 0 ", 0)],
)
def test_sizes(text: str, expected: int) -> None:
    assert size(text) == expected


@pytest.mark.parametrize("text", ["", "MB", "-1", "1.5GB", "10 B", "5PB", "1e9", "1MB2"])
def test_invalid_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="500MB"):
        size(text)


def test_booleans() -> None:
    assert [boolean(text) for text in ("True", "1", "yes", "ON")] == [True] * 4
    assert [boolean(text) for text in ("False", "0", "no", "off", "")] == [False] * 5
    with pytest.raises(ValueError):
        boolean("maybe")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_UPLOAD_SIZE", "lots"),
        ("PORT", "http"),
        ("FLASK_DEBUG", "maybe"),
        ("SOCKETIO_ASYNC_MODE", "gevent"),
        ("DEFAULT_EPOCHS", "1.5"),
    ],
)
def test_a_wrong_value_is_named_with_its_help(name: str, value: str) -> None:
    with pytest.raises(SettingError) as caught:
        load_settings({name: value})
    message = str(caught.value)
    assert name in message
    assert value in message
    assert next(setting.help for setting in SETTINGS if setting.name == name) in message


def test_the_defaults_are_the_specifications() -> None:
    settings = load_settings({})
    assert settings.MAX_UPLOAD_SIZE == 500 * 1024 * 1024
    expected = {
        "FLASK_DEBUG": False,
        "DATABASE_URL": "sqlite:///instance/yolo_trainer.db",
        "DATA_ROOT": ROOT / "data",
        "DEFAULT_MODEL": "yolov8m.pt",
        "DEFAULT_EPOCHS": 100,
        "DEFAULT_BATCH_SIZE": 16,
        "DEFAULT_IMG_SIZE": 640,
        "SOCKETIO_ASYNC_MODE": "eventlet",
        "LOG_LEVEL": "INFO",
        "METRICS_ENABLED": True,
    }
    assert {name: getattr(settings, name) for name in expected} == expected
    assert settings.SECRET_KEY == ""


def test_what_follows_from_the_settings(tmp_path: Path) -> None:
    config = flask_config(load_settings({"DATA_ROOT": str(tmp_path), "INSTANCE_PATH": str(tmp_path / "instance")}))
    assert config["MAX_CONTENT_LENGTH"] == 500 * 1024 * 1024
    assert config["DATASETS_DIR"] == str(tmp_path / "datasets")
    assert config["WEIGHTS_DIR"] == str(tmp_path / "weights")  # its default follows DATA_ROOT
    assert config["SQLALCHEMY_DATABASE_URI"] == f"sqlite:///{ROOT}/instance/yolo_trainer.db"
    assert config["SECRET_KEY"] == (tmp_path / "instance" / "secret_key").read_text()


def test_database_addresses() -> None:
    for prefix in ("postgres://", "postgresql://"):
        assert database_uri(prefix + "me@db/yolo") == "postgresql+psycopg://me@db/yolo"
    assert database_uri("sqlite:////tmp/a.db") == "sqlite:////tmp/a.db"
    assert database_uri("sqlite:///:memory:") == "sqlite:///:memory:"


def test_origins() -> None:
    assert cors_origins("") is None
    assert cors_origins(" https://a.example/ ,http://b:1") == ["https://a.example", "http://b:1"]
    assert cors_origins("https://a.example,*") == "*"


def test_the_secret_key_is_private_and_persists(tmp_path: Path) -> None:
    key = secret_key(tmp_path / "one")
    assert len(key) == 64
    assert stat.S_IMODE((tmp_path / "one" / "secret_key").stat().st_mode) == 0o600
    assert secret_key(tmp_path / "one") == key
    assert secret_key(tmp_path / "two") != key
    assert [path.name for path in (tmp_path / "one").iterdir()] == ["secret_key"]


@pytest.mark.parametrize("damage", [b"", b" \n", b"\xff\x00 garbage", bytes(64)])
def test_a_damaged_key_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "secret_key"
    path.write_bytes(damage)
    key = secret_key(tmp_path)
    assert (len(key), path.read_text()) == (64, key)
    assert [item.read_bytes() for item in tmp_path.glob("*.damaged")] == [damage]


def test_servers_that_start_at_once_agree_on_the_key(tmp_path: Path) -> None:
    code = f"import pathlib, app.secret_key; print(app.secret_key.secret_key(pathlib.Path({str(tmp_path)!r})))"
    started = [
        subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    assert len({process.communicate()[0] for process in started}) == 1
    assert os.listdir(tmp_path) == ["secret_key"]


def test_concurrent_starts_with_a_damaged_key_agree_on_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second starts when the first has read the damaged file and has not set it aside yet."""
    (tmp_path / "secret_key").write_bytes(b"\xff")
    keys, second = list[str](), threading.Thread(target=lambda: keys.append(secret_key(tmp_path)))
    replace = os.replace

    def slow_replace(source: Path, target: Path) -> None:
        monkeypatch.setattr(os, "replace", replace)
        second.start()
        second.join(0.2)
        replace(source, target)

    monkeypatch.setattr(os, "replace", slow_replace)
    keys.append(secret_key(tmp_path))
    second.join(60)
    assert keys == [(tmp_path / "secret_key").read_text()] * 2
    assert len(list(tmp_path.glob("*.damaged"))) == 1


def test_no_default_secret_in_the_code() -> None:
    default = next(setting.default for setting in SETTINGS if setting.name == "SECRET_KEY")
    assert default == ""
