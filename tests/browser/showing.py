"""A conversation worth looking at, for pictures and for checks of how pages look."""

from __future__ import annotations

from typing import Final

TITLE: Final = "When is low tide?"
_TABLE = """\
Roughly twice a day. The coast turns through **two bulges** of water that follow the moon, so low tide comes about \
50 minutes later each day. How far it falls depends on the place:

| Place | Range | Low tides |
| --- | --- | --- |
| Bay of Fundy | 11.7 m | 2 |
| Mont-Saint-Michel | 9.0 m | 2 |
| Gulf of Mexico | 0.5 m | 1 |"""
_CODE = """\
Add half a lunar day until you are past `now`:

```python
HALF_DAY = timedelta(minutes=745)

while low_tide <= now:
    low_tide += HALF_DAY
```"""

SAID: Final = [("When is low tide, and why does it move?", _TABLE), ("Compute the next one in Python", _CODE)]
OLDER: Final = [
    ("Sourdough for a cold kitchen", 0.2),
    ("Rename photos by date", 1.1),
    ("Letter to the harbour office", 3.4),
    ("Spanish stem changes", 12.0),
    ("What is a tide gate?", 41.0),
]
