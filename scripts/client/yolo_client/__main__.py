"""`python -m yolo_client`."""

import sys

from .cli import main

sys.exit(main())
