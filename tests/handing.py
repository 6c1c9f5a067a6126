"""A handover with a firewall in memory, a recording journal and a clock turned by hand."""

from __future__ import annotations

from ipaddress import ip_address

from starlette.types import ASGIApp

from tidegate.core.events import FirewallChanged
from tidegate.core.firewall.elements import ComesThrough, Element, Mode, Spared
from tidegate.core.firewall.inhabited import DAY_S, Inhabited, Kept
from tidegate.core.firewall.offloading import Offloading
from tidegate.core.firewall.plan import FirewallPlan
from tidegate.core.identifiers import Fingerprint
from tidegate.http.answering import Answering
from tidegate.http.control.firewall import TABLE
from tidegate.http.doors import open_door
from tidegate.http.frame import Frame
from tidegate.http.routes import bind, router
from tidegate.ports.firewall import Firewall
from tidegate.services.handover import Handover
from tidegate.services.lifecycle import Lifecycle
from tidegate.testing.firewall import MemoryFirewall
from tidegate.testing.journal import RecordingJournal

AT = 1.8e9
BOT, OTHER = "203.0.113.66", "203.0.113.67"
PLAN = FirewallPlan(mode=Mode.ON, refused_rate=1.0, refused_burst=3.0)


def fingerprint(text: str) -> Fingerprint:
    return Fingerprint(text.encode().hex().ljust(16, "0")[-16:])


class Post:
    """A handover with a firewall in memory and a clock turned by hand."""

    def __init__(self, plan: FirewallPlan = PLAN, *, has_firewall: bool = True) -> None:
        self.now = AT
        self.journal = RecordingJournal()
        self.firewall = MemoryFirewall()
        self.kept: list[Kept] = []
        self.is_full = False
        firewall: Firewall | None = self.firewall if has_firewall else None
        self.handover = Handover(
            offloading=Offloading(plan, Inhabited(b"k" * 32, AT - DAY_S), tuple),
            firewall=firewall,
            journal=self.journal,
            fingerprint=fingerprint,
            clock=lambda: self.now,
            keep=self.keep,
        )

    async def keep(self, kept: Kept) -> None:
        if self.is_full:
            raise OSError
        self.kept.append(kept)

    def press(self, address: str) -> ComesThrough | Element | Spared | None:
        found = None
        while found is None:
            found = self.handover.offloading.refused(ip_address(address).packed, self.now)
        self.handover.decided(found)
        return found

    def know(self, address: str) -> None:
        self.handover.seen(ip_address(address).packed, self.now)

    @property
    def lines(self) -> list[FirewallChanged]:
        return self.journal.of(FirewallChanged)

    @property
    def given(self) -> list[Element]:
        return [element for added, live in self.firewall.told for element in (*added, *live)]


def control_of(post: Post) -> ASGIApp:
    """The control socket's application over it."""
    answering = Answering(
        app=router(bind(TABLE, post.handover, open_door)),
        journal=post.journal,
        lifecycle=Lifecycle(),
        clock=lambda: post.now,
    )
    return Frame(
        app=answering,
        journal=post.journal,
        fingerprint=fingerprint,
        clock=lambda: post.now,
        ticks=lambda: post.now,
        is_counted=False,
    )
