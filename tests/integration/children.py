"""Programs that tests start, and that import what tests import."""

import os
import sys

ENVIRONMENT = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
"""Where a child finds the modules of the tests: pytest adds their folder to its own path alone."""
