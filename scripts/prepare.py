"""Creates the folders of the settings and migrates the database; part of `make setup`."""

import sys

from app import create_app
from app.config import SettingError, settings
from app.database import upgrade_if_old

FOLDERS = ("DATASETS_DIR", "MODELS_DIR", "TESTS_DIR", "WEIGHTS_DIR", "INSTANCE_PATH", "LOG_DIR")


def main() -> None:
    try:
        app = create_app("cli", {"SOCKETIO_ASYNC_MODE": "threading"})  # nothing is served: avoid importing a server
    except SettingError as error:
        sys.exit(f"A setting in the environment or in .env cannot be used: {error}")
    for name in FOLDERS:
        getattr(settings(app), name).mkdir(parents=True, exist_ok=True)
    upgrade_if_old(app)


if __name__ == "__main__":
    main()
