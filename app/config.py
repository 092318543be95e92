"""Defines every setting once: its name, type, default and help.

`.env.example` and `wiki/Configuracao.md` document the same list; a test compares the three.
"""

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.core.setting_values import (
    SettingError,
    automatic,
    boolean,
    claim_roles,
    count,
    endpoint,
    host_names,
    issuer,
    networks,
    one_word,
    optional_path,
    people,
    positive,
    rate,
    redis_url,
    size,
    storage_uri,
    storage_url,
    variable_names,
    worker_name,
)
from app.secret_key import secret_key
from app.setting_checks import check_together

if TYPE_CHECKING:
    from flask import Flask

ROOT = Path(__file__).resolve().parent.parent


async_mode = one_word("eventlet", "threading")  # the two tested server modes
auth = one_word("auto", "required", "off")
role_or_none = one_word("viewer", "trainer", "none")
on_shutdown = one_word("continue", "stop")
dispatch = one_word("local", "rq")
backup_models = one_word("best", "all", "marked", "none")


def setting(parse: Callable[[str], Any], default: str, help: str) -> Any:
    """A field of `Settings`: the environment variable of the same name, parsed by `parse`."""
    return field(metadata={"parse": parse, "default": default, "help": help})


@dataclass(frozen=True)
class Settings:
    """The settings of this installation. Paths are absolute; sizes are bytes."""

    FLASK_ENV: str = setting(str, "production", "production or development; development logs more.")
    FLASK_DEBUG: bool = setting(boolean, "False", "Show tracebacks in the browser. Never on a shared network.")
    SECRET_KEY: str = setting(str, "", "Signs cookies. Empty: made at the first start, kept in instance/secret_key.")
    DATABASE_URL: str = setting(str, "sqlite:///instance/yolo_trainer.db", "SQLite or PostgreSQL address.")
    REDIS_URL: str = setting(
        redis_url,
        "",
        "Redis of this installation alone, such as redis://localhost:6379/0, for several web processes. Empty: one.",
    )
    DISPATCH: str = setting(
        dispatch,
        "local",
        "Where jobs run: local, beside the web process, or rq, in workers on any machine; needs PostgreSQL and Redis.",
    )
    WORKER_NAME: str = setting(
        worker_name, "", "How a worker's name begins: letters, digits and . _ - alone. Empty: its machine's name."
    )
    STORAGE_URL: str = setting(
        storage_url,
        "",
        "Where workers that share no volume get their files and leave them, such as s3://bucket/prefix; needs "
        "DISPATCH=rq. Empty: DATA_ROOT is a shared volume.",
    )
    STORAGE_ENDPOINT: str = setting(
        endpoint, "", "Address of the S3-compatible server, such as https://minio.example.org:9000. Empty: Amazon's."
    )
    STORAGE_ACCESS_KEY: str = setting(
        str, "", "Its access key. Empty: as AWS tools find it, in AWS_* variables, ~/.aws, or the machine's role."
    )
    STORAGE_SECRET_KEY: str = setting(str, "", "The secret of that key.")
    STORAGE_CACHE_SIZE: int = setting(
        size,
        "100GB",
        "Most bytes of fetched datasets that stay in a worker's DATA_ROOT; what running jobs read is never removed. "
        "0: no limit.",
    )
    DATA_ROOT: Path = setting(Path, "data", "Folder of datasets, models, tests and weights.")
    INSTANCE_PATH: Path = setting(Path, "instance", "Folder of the SQLite database and the secret key.")
    MAX_UPLOAD_SIZE: int = setting(size, "500MB", "Largest request body of one plain POST.")
    MAX_RESUMABLE_SIZE: int = setting(size, "2GB", "Largest file of an upload that can be resumed (tus).")
    MAX_EXPANDED_SIZE: int = setting(size, "10GB", "Largest size of a ZIP once extracted.")
    MIN_FREE_DISK: int = setting(size, "5GB", "Uploads are refused when less than this would stay free.")
    MAX_ZIP_ENTRIES: int = setting(int, "200000", "Most files in one ZIP.")
    MAX_IMAGE_PIXELS: int = setting(int, "64000000", "Largest image, in pixels (width x height).")
    IMAGE_DECODE_SECONDS: int = setting(
        positive, "10", "Most CPU time to decode one image, in seconds; for images above 16 MP, in proportion."
    )
    MAX_VIDEO_FRAMES: int = setting(positive, "200000", "Most frames of one video that are analyzed.")
    MAX_CLASSES: int = setting(int, "1000", "Most classes in one dataset.")
    IMPORT_ROOT: Path | None = setting(
        optional_path, "", "Folder of this server whose subfolders can be imported as datasets. Empty: none can."
    )
    WEIGHTS_DIR: Path = setting(Path, "data/weights", "Folder of official start weights (yolov8n.pt ...).")
    WEIGHTS_URL: str = setting(
        str,
        "https://github.com/ultralytics/assets/releases/download/v8.4.0",
        "Where missing start weights are downloaded from. Empty: never download.",
    )
    CUDA_VISIBLE_DEVICES: str = setting(str, "", "GPUs that trainings may use, such as 0,1. Empty: all.")
    TRAININGS_PER_GPU: int = setting(positive, "1", "Trainings that may run on one GPU at the same time.")
    TORCH_CUDA_ARCH_LIST: str = setting(str, "", "CUDA architectures for code that torch compiles, such as 7.5;8.6.")
    DEFAULT_MODEL: str = setting(str, "yolov8m.pt", "Model that a new training starts from when none is named.")
    DEFAULT_EPOCHS: int = setting(int, "100", "Epochs of a new training.")
    DEFAULT_BATCH_SIZE: int = setting(int, "16", "Images per batch of a new training.")
    DEFAULT_IMG_SIZE: int = setting(int, "640", "Image size of a new training, in pixels.")
    AUTO_EVALUATE: bool = setting(
        boolean, "True", "Evaluate the best weights of each run that ends, on the validation set and the test set."
    )
    AUTO_EXPORT: bool = setting(
        boolean,
        "True",
        "Without a GPU, export the best weights of each completed run to OpenVINO: tests then run up to twice as fast.",
    )
    DISK_RESERVE: int = setting(size, "2GB", "Trainings do not start, and pause, when less than this is free.")
    TRAINING_MEMORY_LIMIT: int = setting(size, "0", "Most memory of one training process, such as 16GB. 0: no limit.")
    ON_SHUTDOWN: str = setting(
        on_shutdown,
        "continue",
        "When the server stops, trainings continue, or stop: save a checkpoint, and go on at the next start.",
    )
    TRASH_DAYS: int = setting(int, "7", "Days until a deleted training is gone for good.")
    CHECKPOINT_DAYS: int = setting(
        int, "30", "Days that resumable checkpoints of ended trainings are kept. 0: for ever."
    )
    BACKUP_DIR: Path = setting(Path, "data/backups", "Folder of the copies of important models; best on another disk.")
    BACKUP_MODELS: str = setting(
        backup_models,
        "best",
        "Which models are backed up: best (of each dataset, and those marked important), all, marked or none.",
    )
    CHILD_ENV: tuple[str, ...] = setting(
        variable_names,
        "",
        "Further environment variables that training and import processes get, comma separated, such as HF_HOME or "
        "PLUGIN_*.",
    )
    INFERENCE_CACHE_SIZE: int = setting(int, "2", "Trained models that the test process keeps in memory.")
    SOCKETIO_ASYNC_MODE: str = setting(async_mode, "eventlet", "Server mode: eventlet or threading.")
    SOCKETIO_CORS_ALLOWED_ORIGINS: str = setting(
        str,
        "",
        "Other origins that may use the API and Socket.IO, comma separated, or *. Empty: only this server's own pages.",
    )
    HOST: str = setting(str, "127.0.0.1", "Address to serve on.")
    PORT: int = setting(int, "5000", "Port to serve on.")
    ALLOWED_HOSTS: tuple[str, ...] = setting(
        host_names,
        "",
        "Further names that browsers may open the server by, comma separated, such as yolo.example.org. "
        "Empty: only localhost and HOST, and with HOST=0.0.0.0 the machine's name and any IP address.",
    )
    TRUSTED_PROXIES: tuple[IPv4Network | IPv6Network, ...] = setting(
        networks,
        "",
        "Addresses or networks of the proxies in front, comma separated, such as 127.0.0.1: only their "
        "X-Forwarded-For, -Proto and -Host are believed. Empty: nobody's.",
    )
    RATELIMIT_ENABLED: bool | None = setting(
        automatic,
        "auto",
        "Limit how often one person may do what costs much. auto: not for you on this machine, unless AUTH=required.",
    )
    RATELIMIT_STORAGE_URI: str = setting(
        storage_uri, "memory://", "Where it is counted: memory://, or redis://localhost:6379/0."
    )
    RATELIMIT_LOGIN: str = setting(
        rate, "10 per minute", "Most attempts to log in of one address, whatever RATELIMIT_ENABLED is. Empty: no limit."
    )
    RATELIMIT_PASSWORDS: str = setting(
        rate,
        "30 per hour",
        "Most wrong passwords of one name, from all addresses together; a browser that was logged in before has a "
        "count of its own. Empty: no limit.",
    )
    RATELIMIT_UPLOADS: str = setting(
        rate, "10 per minute", "Most uploads and imports of datasets and models of one person. Empty: no limit."
    )
    RATELIMIT_TRAININGS: str = setting(rate, "5 per minute", "Most starts of trainings of one person. Empty: no limit.")
    RATELIMIT_METRICS: str = setting(rate, "100 per minute", "Most queries of metrics of one person. Empty: no limit.")
    RATELIMIT_TESTS: str = setting(
        rate, "60 per minute", "Most tests, and predictions of files as a job, of one person. Empty: no limit."
    )
    RATELIMIT_PREDICT: str = setting(
        rate, "1200 per minute", "Most images of the predict endpoint, and frames, of one person. Empty: no limit."
    )
    AUTH: str = setting(
        auth,
        "auto",
        "Who may enter: auto (you on this machine; everybody else logs in), required (everybody logs in) or off.",
    )
    AUTH_OFF_FOR_EVERYBODY_ON_THE_NETWORK: bool = setting(
        boolean,
        "False",
        "With AUTH=off, let everybody in who reaches HOST, from other machines too. They can delete everything.",
    )
    PRIVATE_DATA: bool = setting(
        boolean,
        "False",
        "Trainers and viewers see only what is theirs and what was shared with everybody. Admins see all.",
    )
    OIDC_ISSUER: str = setting(
        issuer,
        "",
        "OpenID Connect provider that people may log in by, such as https://login.example.org/realms/lab. Empty: none.",
    )
    OIDC_CLIENT_ID: str = setting(str, "", "What the provider knows this server as.")
    OIDC_CLIENT_SECRET: str = setting(str, "", "What this server shows the provider. Empty: a public client.")
    OIDC_NAME: str = setting(str, "", "What the log-in page calls the provider. Empty: by the name of its host.")
    OIDC_SCOPES: str = setting(str, "openid profile email", "What the provider is asked for; openid is in it.")
    OIDC_ALLOWED: tuple[str, ...] = setting(
        people,
        "",
        "Whom a first login makes an account for: e-mail addresses that the provider has verified, @example.org for "
        "all of a domain, or * for everybody whom the provider lets in. Empty: nobody.",
    )
    OIDC_ROLE_CLAIM: str = setting(
        str,
        "",
        "Claim that says a person's role at each login, such as groups or realm_access.roles. Empty: admins do.",
    )
    OIDC_ROLES: tuple[tuple[str, Any], ...] = setting(
        claim_roles, "", "Roles for values of that claim, such as lab-admins=admin, lab=trainer; the highest counts."
    )
    OIDC_ROLE: str = setting(
        role_or_none,
        "viewer",
        "Role where OIDC_ROLES has none: viewer, trainer, or none, with which nobody comes in.",
    )
    OIDC_SESSION_HOURS: int = setting(positive, "12", "Hours until whoever came by the provider logs in again.")
    QUOTA_UPLOADS: int = setting(count, "0", "Most unfinished uploads of one person. 0: no limit.")
    QUOTA_UPLOAD_SIZE: int = setting(size, "0", "Most bytes of one person's unfinished uploads. 0: no limit.")
    QUOTA_DATASETS: int = setting(size, "0", "Most bytes of one person's datasets, such as 50GB. 0: no limit.")
    QUOTA_MODELS: int = setting(size, "0", "Most bytes of the weights and exports of one person's runs. 0: no limit.")
    AUDIT_SIZE: int = setting(
        size, "200MB", "Most bytes of older audit log of each kind; what strangers tried has a tenth. The oldest go."
    )
    AUDIT_DAYS: int = setting(count, "365", "Days until an entry of the audit log goes. 0: not by its age.")
    LOG_LEVEL: str = setting(str, "INFO", "DEBUG, INFO, WARNING or ERROR.")
    LOG_DIR: Path = setting(Path, "logs", "Folder of app.log.")
    METRICS_ENABLED: bool = setting(
        boolean, "True", "Serve figures of the machine and the log, at /system, and /metrics."
    )

    @property
    def DATASETS_DIR(self) -> Path:
        """One folder per dataset."""
        return self.DATA_ROOT / "datasets"

    @property
    def MODELS_DIR(self) -> Path:
        """One folder per training."""
        return self.DATA_ROOT / "models"

    @property
    def TESTS_DIR(self) -> Path:
        """One folder per test of a model."""
        return self.DATA_ROOT / "tests"


@dataclass(frozen=True)
class Setting:
    """The definition of a setting."""

    name: str
    parse: Callable[[str], Any]
    default: str
    help: str

    def value(self, text: str) -> Any:
        """The parsed value of `text`.

        Raises:
            SettingError: it cannot be parsed; the message names the setting.
        """
        try:
            return self.parse(text)
        except ValueError as error:
            masked = re.sub(r"//[^/]*@", "//…@", text)
            raise SettingError(f"{self.name}={masked!r}: {error}. {self.help}") from error


SETTINGS = tuple(Setting(item.name, **item.metadata) for item in fields(Settings))


def settings(app: "Flask | None" = None) -> Settings:
    """The settings of an application, by default of the current one."""
    from flask import current_app  # not at import: children import this module too

    current: Settings = (app or current_app).extensions["settings"]
    return current


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Every setting, parsed from `environ` (default: the process's own).

    Raises:
        SettingError: a value cannot be parsed; the message names the setting.
    """
    environ = os.environ if environ is None else environ
    values = {item.name: item.value(environ.get(item.name, item.default)) for item in SETTINGS}
    config = Settings(**absolute(values))
    check_together(config)
    refuse_lone_workers(config)
    return config


def refuse_lone_workers(config: Settings) -> None:
    """Refuse DISPATCH=rq without the shared services it needs.

    Raises:
        SettingError: there is no PostgreSQL, or no Redis.
    """
    postgres = database_uri(config.DATABASE_URL).startswith("postgresql")
    if config.DISPATCH == "rq" and not (postgres and config.REDIS_URL):
        raise SettingError("DISPATCH=rq needs DATABASE_URL=postgresql://... and REDIS_URL: workers share both.")


def absolute(values: dict[str, Any]) -> dict[str, Any]:
    """The values with absolute paths; paths below `data/` default to DATA_ROOT."""
    paths = {name: ROOT / value for name, value in values.items() if isinstance(value, Path)}
    for name in ("WEIGHTS_DIR", "BACKUP_DIR"):
        if values[name].parts[:1] == ("data",):
            paths[name] = paths["DATA_ROOT"] / values[name].relative_to("data")
    return values | paths


def flask_config(settings: Settings) -> Mapping[str, object]:
    """The settings under the names that Flask and its extensions read; paths as strings."""
    # the folder is needed for the database, even with a SECRET_KEY
    settings.INSTANCE_PATH.mkdir(parents=True, exist_ok=True)
    folders = {name: getattr(settings, name) for name in ("DATASETS_DIR", "MODELS_DIR", "TESTS_DIR")}
    values = {
        name: str(value) if isinstance(value, Path) else value for name, value in (vars(settings) | folders).items()
    }
    return values | {
        "DEBUG": settings.FLASK_DEBUG,
        "MAX_CONTENT_LENGTH": settings.MAX_UPLOAD_SIZE,
        "SQLALCHEMY_DATABASE_URI": database_uri(settings.DATABASE_URL),
        "SQLALCHEMY_TRACK_MODIFICATIONS": False,
        "SECRET_KEY": settings.SECRET_KEY or secret_key(settings.INSTANCE_PATH),
    }


def database_uri(url: str) -> str:
    """An SQLAlchemy URI: psycopg 3 for PostgreSQL, an absolute path for an SQLite file."""
    for prefix in ("postgres://", "postgresql://"):
        if url.startswith(prefix):
            return "postgresql+psycopg://" + url.removeprefix(prefix)
    relative = re.fullmatch(r"sqlite:///([^/:].*)", url)
    return f"sqlite:///{ROOT / relative[1]}" if relative else url
