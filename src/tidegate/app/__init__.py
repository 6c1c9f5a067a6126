"""The only place that knows every concrete class: puts the service together and runs it."""

from tidegate.app.certificate import Certificate, CertificateError
from tidegate.app.gate import GateListeners, GateRun, run_gate
from tidegate.app.listening import PortTakenError
from tidegate.app.operate import open_caller_desk, open_desk
from tidegate.app.serve import Listeners, ServePlan, card_of, run

__all__ = [
    "Certificate",
    "CertificateError",
    "GateListeners",
    "GateRun",
    "Listeners",
    "PortTakenError",
    "ServePlan",
    "card_of",
    "open_caller_desk",
    "open_desk",
    "run",
    "run_gate",
]
