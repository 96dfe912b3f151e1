"""``python -m rartrack.cli``."""

import sys

from rartrack.cli.main import main

sys.exit(main())
