"""What one source of requests may do: its address, its network, and the network of that together."""

from __future__ import annotations

from tidegate.core.admission.bucket import Buckets

_WIDEST = 4.0
"""A /48 holds 256 networks of those that are counted; it gets the budget of so many."""


class Sources:
    """Buckets for addresses (IPv4, or IPv6 /64), networks (/24, /56) and the widest (/48).

    What is taken is taken from all of them or from none: a refusal costs nobody
    anything, and remembers nobody.
    """

    def __init__(self, address: tuple[float, float], network: tuple[float, float], most: int) -> None:
        """Each budget is a rate and a burst; each width remembers at most `most`."""
        widest = (network[0] * _WIDEST, network[1] * _WIDEST)
        self._widths = tuple(Buckets(rate, burst, most) for rate, burst in (address, network, widest))

    def take(self, keys: tuple[bytes, ...], now: float) -> float:
        """Take one request for each of `keys`, the narrowest first, or answer the seconds until that can be."""
        wait_s = self.wait_s(keys, now)
        if not wait_s:
            for key, buckets in zip(keys, self._widths):  # noqa: B905 - as below
                buckets.charge(key, 1.0)
        return wait_s

    def wait_s(self, keys: tuple[bytes, ...], now: float) -> float:
        """Seconds until one request can be taken for each of `keys`; 0.0 is now."""
        longest_s = 0.0
        # On the way of every refusal: neither the keyword nor a call of max() is free.
        for key, buckets in zip(keys, self._widths):  # noqa: B905 - an IPv4 address has a key less than there are widths
            wait_s = buckets.wait_s(key, 1.0, now)
            if wait_s > longest_s:  # noqa: PLR1730 - as above
                longest_s = wait_s
        return longest_s

    def reshape(self, address: tuple[float, float], network: tuple[float, float], most: int) -> None:
        """Go on by other budgets: what was taken stays taken."""
        widest = (network[0] * _WIDEST, network[1] * _WIDEST)
        for buckets, (rate, burst) in zip(self._widths, (address, network, widest), strict=True):
            buckets.reshape(rate, burst, most)

    @property
    def remembered(self) -> tuple[int, ...]:
        """How many are remembered of each width, the narrowest first."""
        return tuple(len(buckets) for buckets in self._widths)
