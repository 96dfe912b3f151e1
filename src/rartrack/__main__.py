"""``python -m rartrack``, which launchers of many processes start."""

import sys

from rartrack.cli import main

sys.exit(main())
