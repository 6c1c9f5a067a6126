"""The only place that knows every concrete class: puts the service together and runs it."""

from tidegate.app.certificate import Certificate, CertificateError
from tidegate.app.discovery import Offer, discover
from tidegate.app.gate import GateListeners, GateRun, run_gate
from tidegate.app.listening import PortTakenError
from tidegate.app.operate import callers_left, open_caller_desk, open_desk
from tidegate.app.serve import Listeners, ServePlan, card_of, run
from tidegate.app.survey import Lineup, survey

__all__ = [
    "Certificate",
    "CertificateError",
    "GateListeners",
    "GateRun",
    "Lineup",
    "Listeners",
    "Offer",
    "PortTakenError",
    "ServePlan",
    "callers_left",
    "card_of",
    "discover",
    "open_caller_desk",
    "open_desk",
    "run",
    "run_gate",
    "survey",
]
