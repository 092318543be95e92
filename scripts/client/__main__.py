"""`python -m scripts.client`: the same command as the installed `yolo-client`."""

import sys

from scripts.client.yolo_client.cli import main

sys.exit(main())
