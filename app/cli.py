"""Commands for the operator, such as `.venv/bin/python -m scripts.backup list`. They start no background work."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import Any

import click
from flask.cli import AppGroup
from flask_babel import gettext as _

from app.config import settings
from app.errors import AppError
from app.schemas.installation import Decided
from app.services import services
from app.services.accounts.owner_login import from_elsewhere
from app.services.installation import texts

backup = AppGroup("backup", help="Copies of important models (BACKUP_DIR).")


def exit_on_failure(command: Callable[..., Any]) -> Callable[..., Any]:
    """Expected errors print one line and exit with status 1."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> Any:
        try:
            return command(*args, **kwargs)
        except (AppError, OSError) as error:
            click.echo(str(error), err=True)
            sys.exit(1)

    return run


@backup.command("list")
@exit_on_failure
def list_backups() -> None:
    """Show every backup."""
    for stored in services().backups.all():
        manifest, best = stored.manifest, stored.manifest["metrics"]["map95"]
        mark = "*" if manifest["important"] else " "
        size = sum(file["bytes"] for file in manifest["files"].values()) / 1024**2
        score = "-" if best is None else f"{best:.4f}"
        click.echo(
            f"{stored.training_id:>6}{mark} mAP50-95 {score:<7} {size:>8.1f} MB  {manifest['written'][:16]}  "
            f"{printable(manifest['name'])} ({printable(manifest['dataset']['name'])})"
        )


@backup.command()
@exit_on_failure
def verify() -> None:
    """Read every backup and compare it with its hashes; status 1 when one is damaged."""
    damaged = services().backups.verify()
    for name, wrong in sorted(damaged.items()):
        click.echo(f"{name}: {'damaged: ' + ', '.join(wrong) if wrong else 'ok'}")
    sys.exit(1 if any(damaged.values()) else 0)


@backup.command("now")
@click.argument("training_id", type=click.IntRange(1))
@exit_on_failure
def back_up_now(training_id: int) -> None:
    """Back a training's model up now."""
    click.echo(f"Training {training_id}: {services().backups.backup(training_id).folder}")


@backup.command()
@click.argument("training_id", type=click.IntRange(1))
@exit_on_failure
def restore(training_id: int) -> None:
    """Put a model back where it was; where its training is gone, make one of it."""
    services().installation.expect_paired()
    click.echo(f"Restored as training {services().backups.restore(training_id)}.")


def printable(text: str) -> str:
    """A name without terminal control characters."""
    return "".join(char if char.isprintable() else "?" for char in text)


installation = AppGroup("installation", help="Whether the database and the data folder belong together.")


@installation.command("status")
@exit_on_failure
def show_installation() -> None:
    """Show whether they do; status 1 when they do not."""
    verdict = services().installation.examined()
    if verdict is None:
        click.echo(_("The database and the data folder belong together."))
        return
    click.echo(f"{texts.refusal(verdict)} ({verdict.code})")
    click.echo("\n".join(texts.count_texts(verdict)))
    sys.exit(1)


@installation.command("adopt")
@exit_on_failure
def adopt_folders() -> None:
    """Take the datasets and training runs of the data folder into this database."""
    show_decision(services().installation.adopt())


@installation.command("start-anew")
@exit_on_failure
def start_anew() -> None:
    """Set the folders aside that this database does not know; none is deleted."""
    show_decision(services().installation.start_anew())


def show_decision(decided: Decided) -> None:
    """Print how many rows of each kind were adopted or set aside."""
    for what, counts in (("adopted", decided.get("adopted")), ("set_aside", decided["set_aside"])):
        if counts is None:
            continue
        click.echo(f"{what}: " + ", ".join(f"{count} {kind}" for kind, count in counts.items()))


access = AppGroup("access", help="Who may enter.")


@access.command("link")
@exit_on_failure
def print_link() -> None:
    """Print a link that logs the owner in: once, within 15 minutes."""
    click.echo(services().accounts.owner_login.link(settings()))
    click.echo(from_elsewhere(settings()), err=True, nl=False)
