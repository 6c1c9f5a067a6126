"""What the judge found, for people: on the terminal, as one page, and side by side with another rehearsal."""

from tidegate.lab.report.compare import Difference as Difference
from tidegate.lab.report.compare import IncomparableError as IncomparableError
from tidegate.lab.report.compare import compare as compare
from tidegate.lab.report.page import page as page
from tidegate.lab.report.progress import Progress as Progress
from tidegate.lab.report.table import compared as compared
from tidegate.lab.report.table import shown as shown
