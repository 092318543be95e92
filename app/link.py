"""`python -m app.link`, which `make link` runs: prints a link that logs the owner in, once, within 15 minutes."""

from app import create_app

if __name__ == "__main__":
    from app.cli import access

    # It serves nothing: avoid the import of eventlet, and its warning.
    with create_app("cli", {"SOCKETIO_ASYNC_MODE": "threading"}).app_context():
        access(["link"])
