"""Says what a new split would be: `python -m app.worker.split_preview DIRECTORY`.

spec.json: `revision` (the folder of the version that it is made from) and `split` (shares and seed; null: as given).
Writes result.json: see `assign.counted`. Standard library only: it answers while someone waits.
"""

import json
import sys
from pathlib import Path

from app.worker.assign import Material, assign, counted
from app.worker.files import put
from app.worker.split import Shares


def main(directory: str) -> int:
    spec = json.loads((Path(directory) / "spec.json").read_text(encoding="utf-8"))
    material = Material.load(Path(spec["revision"]))
    result = counted(material, assign(material, Shares(**spec["split"]) if spec["split"] else None))
    put(Path(directory) / "result.json", lambda draft: draft.write_text(json.dumps(result), encoding="utf-8"))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
