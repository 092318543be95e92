"""Backs up a running installation: the database at one moment, and the files of its rows.

<folder>/manifest.json, manifest.sha256     what there is, with hashes
<folder>/database.sqlite3                   every table, whatever database the installation uses
<folder>/data/...                           the data folder
<folder>/secret_key                         unless SECRET_KEY is set
"""

from app.services.snapshots.create import SnapshotMaker
from app.services.snapshots.errors import SnapshotError
from app.services.snapshots.manifest import Manifest, verify
from app.services.snapshots.restore import Restorer

__all__ = ["Manifest", "Restorer", "SnapshotError", "SnapshotMaker", "verify"]
