"""The policy that a rehearsal runs under: the plans that the service itself would make of its settings."""

from __future__ import annotations

import msgspec

from tidegate.core.admission.gate import GatePlan
from tidegate.core.admission.plan import AdmissionPlan
from tidegate.core.entering.entering import EnteringPlan
from tidegate.core.entering.line import LinePlan
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.core.mail.budgets import MailPlan
from tidegate.core.quotas.budget import Budget
from tidegate.core.registration.modes import RegistrationMode
from tidegate.core.registration.plan import ModePlan
from tidegate.core.registration.probation import ProbationPlan
from tidegate.core.standing.record import StandingPlan
from tidegate.services.admission import Patience
from tidegate.services.permits import JoiningPlan


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """One frozen policy. `calm` is sign-ups a minute, and at once, that are everyday.

    With `is_mail_on` an account begins with a letter.
    """

    gate: GatePlan = GatePlan()
    admission: AdmissionPlan = AdmissionPlan()
    standing: StandingPlan = StandingPlan()
    modes: ModePlan = ModePlan()
    joining: JoiningPlan
    calm: tuple[float, float] = (6.0, 10.0)
    sign_up: RegistrationMode = RegistrationMode.OPEN
    entering: EnteringPlan = EnteringPlan(has_challenge=True)
    line: LinePlan = LinePlan()
    quotas: Budget = Budget()
    probation: ProbationPlan
    firewall: FirewallPlan = FirewallPlan()
    patience: Patience = Patience()
    is_mail_on: bool = True
    mail: MailPlan = MailPlan()
