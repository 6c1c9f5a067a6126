"""What those got whom the service is for, counted as it happens, with what each figure means."""

from tidegate.lab.judge.definitions import definitions as definitions
from tidegate.lab.judge.findings import Findings as Findings
from tidegate.lab.judge.findings import FindingsError as FindingsError
from tidegate.lab.judge.findings import Result as Result
from tidegate.lab.judge.findings import Run as Run
from tidegate.lab.judge.findings import Staging as Staging
from tidegate.lab.judge.judge import Judge as Judge
