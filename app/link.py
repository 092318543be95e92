"""`python -m app.link`, which `make link` runs: prints a link that logs the owner in, once, within 15 minutes."""

from app import create_app

if __name__ == "__main__":
    from app.cli import access

    with create_app("cli").app_context():
        access(["link"])
