"""The backup commands: `python -m scripts.backup list`, `verify`, `now ID`, `restore ID`."""

from app import create_app
from app.cli import backup

if __name__ == "__main__":
    with create_app("cli").app_context():
        backup()
