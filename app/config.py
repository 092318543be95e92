"""Every setting once: its name, type, default and what it is for.

`.env.example` and `wiki/Configuracao.md` document the same list; a test compares the three.
"""

import os
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent

_UNITS = {"": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


class SettingError(ValueError):
    """A setting has a value that cannot be used; the message names the setting and says what fits."""


def size(text: str) -> int:
    """Bytes from "500MB", "2 GB" or "1048576" (units of 1024)."""
    match = re.fullmatch(r"\s*(\d+)\s*([KMGT]?B?)\s*", text.upper())
    if not match or match[2] == "B":
        raise ValueError("expected a size such as 500MB")
    unit = match[2] if match[2].endswith("B") or not match[2] else match[2] + "B"
    return int(match[1]) * _UNITS[unit]


def boolean(text: str) -> bool:
    """True or False from the usual words."""
    word = text.strip().lower()
    if word in {"1", "true", "yes", "on"}:
        return True
    if word in {"0", "false", "no", "off", ""}:
        return False
    raise ValueError("expected True or False")


def positive(text: str) -> int:
    """A whole number from 1."""
    number = int(text)
    if number < 1:
        raise ValueError("expected a whole number, 1 or more")
    return number


def one_word(*words: str) -> Callable[[str], str]:
    """A parser that takes one of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"expected one of {', '.join(words)}")
        return text

    return parse


def host_names(text: str) -> tuple[str, ...]:
    """Names in small letters, from "yolo.example.org, .example.net"; `*` for any."""
    names = [part.strip().lower().removesuffix(".") for part in text.split(",") if part.strip()]
    for name in names:
        if name != "*" and not re.fullmatch(r"\.?[\w-]+(\.[\w-]+)*|[0-9a-f:]+:[0-9a-f:.]*", name):
            raise ValueError("expected names such as yolo.example.org, without scheme and port")
    return tuple(names)


def variable_names(text: str) -> tuple[str, ...]:
    """Names of variables, from "HF_HOME, NCCL_*"."""
    names = tuple(part.strip() for part in text.split(",") if part.strip())
    if not all(re.fullmatch(r"[A-Za-z_]\w*\*?", name) for name in names):
        raise ValueError("expected names of variables such as HF_HOME or NCCL_*")
    return names


async_mode = one_word("eventlet", "threading")  # the two server modes that are tested
on_shutdown = one_word("continue", "stop")
backup_models = one_word("best", "all", "marked", "none")


@dataclass(frozen=True)
class Setting:
    """One setting: read from the environment variable `name`, parsed by `parse`."""

    name: str
    parse: Callable[[str], Any]
    default: str
    help: str


SETTINGS = (
    Setting("FLASK_ENV", str, "production", "production or development; development logs more."),
    Setting("FLASK_DEBUG", boolean, "False", "Show tracebacks in the browser. Never on a shared network."),
    Setting("SECRET_KEY", str, "", "Signs cookies. Empty: made at the first start, kept in instance/secret_key."),
    Setting("DATABASE_URL", str, "sqlite:///instance/yolo_trainer.db", "SQLite or PostgreSQL address."),
    Setting("DATA_ROOT", str, "data", "Folder of datasets, models, tests and weights."),
    Setting("INSTANCE_PATH", str, "instance", "Folder of the SQLite database and the secret key."),
    Setting("MAX_UPLOAD_SIZE", size, "500MB", "Largest request body of one plain POST."),
    Setting("MAX_RESUMABLE_SIZE", size, "2GB", "Largest file of an upload that can be resumed (tus)."),
    Setting("MAX_EXPANDED_SIZE", size, "10GB", "Largest size of a ZIP once extracted."),
    Setting("MIN_FREE_DISK", size, "5GB", "Uploads are refused when less than this would stay free."),
    Setting("MAX_ZIP_ENTRIES", int, "200000", "Most files in one ZIP."),
    Setting("MAX_IMAGE_PIXELS", int, "64000000", "Largest image, in pixels (width x height)."),
    Setting("MAX_CLASSES", int, "1000", "Most classes in one dataset."),
    Setting(
        "IMPORT_ROOT", str, "", "Folder of this server whose subfolders can be imported as datasets. Empty: none can."
    ),
    Setting("WEIGHTS_DIR", str, "data/weights", "Folder of official start weights (yolov8n.pt ...)."),
    Setting(
        "WEIGHTS_URL",
        str,
        "https://github.com/ultralytics/assets/releases/download/v8.4.0",
        "Where missing start weights are downloaded from. Empty: never download.",
    ),
    Setting("CUDA_VISIBLE_DEVICES", str, "", "GPUs that trainings may use, such as 0,1. Empty: all."),
    Setting("TRAININGS_PER_GPU", positive, "1", "Trainings that may run on one GPU at the same time."),
    Setting("TORCH_CUDA_ARCH_LIST", str, "", "CUDA architectures for code that torch compiles, such as 7.5;8.6."),
    Setting("DEFAULT_MODEL", str, "yolov8m.pt", "Model that a new training starts from when none is named."),
    Setting("DEFAULT_EPOCHS", int, "100", "Epochs of a new training."),
    Setting("DEFAULT_BATCH_SIZE", int, "16", "Images per batch of a new training."),
    Setting("DEFAULT_IMG_SIZE", int, "640", "Image size of a new training, in pixels."),
    Setting("DISK_RESERVE", size, "2GB", "Trainings do not start, and pause, when less than this is free."),
    Setting("TRAINING_MEMORY_LIMIT", size, "0", "Most memory of one training process, such as 16GB. 0: no limit."),
    Setting(
        "ON_SHUTDOWN",
        on_shutdown,
        "continue",
        "When the server stops, trainings continue, or stop: save a checkpoint, and go on at the next start.",
    ),
    Setting("TRASH_DAYS", int, "7", "Days until a deleted training is gone for good."),
    Setting("CHECKPOINT_DAYS", int, "30", "Days that resumable checkpoints of ended trainings are kept. 0: for ever."),
    Setting("BACKUP_DIR", str, "data/backups", "Folder of the copies of important models; best on another disk."),
    Setting(
        "BACKUP_MODELS",
        backup_models,
        "best",
        "Which models are backed up: best (of each dataset, and those marked important), all, marked or none.",
    ),
    Setting(
        "CHILD_ENV",
        variable_names,
        "",
        "Further environment variables that training and import processes get, comma separated, such as HF_HOME or "
        "PLUGIN_*.",
    ),
    Setting("INFERENCE_CACHE_SIZE", int, "2", "Trained models that the test process keeps in memory."),
    Setting("SOCKETIO_ASYNC_MODE", async_mode, "eventlet", "Server mode: eventlet or threading."),
    Setting(
        "SOCKETIO_CORS_ALLOWED_ORIGINS",
        str,
        "",
        "Other origins that may use the API and Socket.IO, comma separated, or *. Empty: only this server's own pages.",
    ),
    Setting("HOST", str, "127.0.0.1", "Address to serve on."),
    Setting("PORT", int, "5000", "Port to serve on."),
    Setting(
        "ALLOWED_HOSTS",
        host_names,
        "",
        "Further names that browsers may open the server by, comma separated, such as yolo.example.org. "
        "Empty: only localhost and HOST, and with HOST=0.0.0.0 the machine's name and any IP address.",
    ),
    Setting("LOG_LEVEL", str, "INFO", "DEBUG, INFO, WARNING or ERROR."),
    Setting("LOG_DIR", str, "logs", "Folder of app.log."),
    Setting("METRICS_ENABLED", boolean, "True", "Serve figures of the machine and the log, at /system, and /metrics."),
)


def load_settings(environ: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Every setting, parsed from `environ` (default: the process's own).

    Raises:
        SettingError: a value cannot be parsed; the message names the setting.
    """
    environ = os.environ if environ is None else environ
    values = {}
    for setting in SETTINGS:
        text = environ.get(setting.name, setting.default)
        try:
            values[setting.name] = setting.parse(text)
        except ValueError as error:
            raise SettingError(f"{setting.name}={text!r}: {error}. {setting.help}") from error
    return values


def flask_config(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The settings plus what follows from them under the names that Flask and its extensions read."""
    config = dict(settings)
    for name in ("DATA_ROOT", "INSTANCE_PATH", "WEIGHTS_DIR", "BACKUP_DIR", "LOG_DIR"):
        config[name] = str(ROOT / settings[name])
    for name in ("WEIGHTS_DIR", "BACKUP_DIR"):
        if settings[name].startswith("data/"):  # the defaults follow DATA_ROOT
            config[name] = str(Path(config["DATA_ROOT"]) / settings[name].removeprefix("data/"))
    if settings["IMPORT_ROOT"]:
        config["IMPORT_ROOT"] = str(ROOT / settings["IMPORT_ROOT"])
    data_root = Path(config["DATA_ROOT"])
    return config | {
        "DEBUG": settings["FLASK_DEBUG"],
        "DATASETS_DIR": str(data_root / "datasets"),
        "MODELS_DIR": str(data_root / "models"),
        "TESTS_DIR": str(data_root / "tests"),
        "MAX_CONTENT_LENGTH": settings["MAX_UPLOAD_SIZE"],
        "SQLALCHEMY_DATABASE_URI": database_uri(settings["DATABASE_URL"]),
        "SQLALCHEMY_TRACK_MODIFICATIONS": False,
        "SECRET_KEY": settings["SECRET_KEY"] or secret_key(Path(config["INSTANCE_PATH"])),
    }


def database_uri(url: str) -> str:
    """An SQLAlchemy address: psycopg 3 for PostgreSQL, an absolute path for an SQLite file."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    relative = re.fullmatch(r"sqlite:///([^/:].*)", url)
    return f"sqlite:///{ROOT / relative[1]}" if relative else url


def secret_key(instance: Path) -> str:
    """This installation's own key, made at the first start; `instance/secret_key`, mode 0600."""
    instance.mkdir(parents=True, exist_ok=True)
    path = instance / "secret_key"
    draft = path.with_name(f"secret_key.{os.getpid()}.tmp")
    if not path.exists():
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_hex(32))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)  # of two servers that start at once, the first wins
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return path.read_text().strip()


def cors_origins(text: str) -> str | list[str] | None:
    """What SOCKETIO_CORS_ALLOWED_ORIGINS allows: "*", a list of origins, or None for this server alone."""
    origins = [part.strip().rstrip("/") for part in text.split(",") if part.strip()]
    return "*" if "*" in origins else origins or None
