"""``python -m rartrack``."""

import sys

from rartrack.cli.main import main

sys.exit(main())
