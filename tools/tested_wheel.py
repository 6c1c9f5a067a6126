"""Stop a test run that would test the tree while it says that it tests the wheel."""

from __future__ import annotations

import sys
from pathlib import Path

import tidegate

where = Path(tidegate.__file__).resolve().parent
if "site-packages" not in where.parts:
    sys.exit(f"tidegate comes from {where}, not from an installed wheel")
print(f"testing tidegate {tidegate.__version__} from {where}")
