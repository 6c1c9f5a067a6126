"""What may not be served although each setting is right by itself: who could listen in, and who would be believed.

Checked when the service starts and before live settings are taken, not by verbs
that serve nothing.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Network, IPv6Network

from tidegate.config.engines import check_engines
from tidegate.config.load import SettingsError
from tidegate.config.mail import MailSettings, check_mail
from tidegate.config.settings import FirewallSettings, ServerSettings, Settings
from tidegate.core.firewall.signing import secret_of

_MAPPED_BITS = 96
_LEAST_BITS = {4: 8, 6: 7}
"""10.0.0.0/8 and fc00::/7 are the largest private networks; more is the Internet."""


def check(settings: Settings) -> None:
    """Raise SettingsError when these settings must not be served together, with key, value and fix."""
    server = settings.server
    networks(server.trusted_proxies, "server.trusted_proxies")
    networks(settings.gate.allow, "gate.allow")
    networks(settings.gate.deny, "gate.deny")
    networks(settings.firewall.never, "firewall.never")
    trusted_proxies(settings)
    _check_pair(server)
    _check_proxy_protocol(server)
    _check_reach(server)
    check_engines(settings)
    _check_firewall(settings.firewall)
    _check_mail(settings.mail)


def trusted_proxies(settings: Settings) -> tuple[IPv4Network | IPv6Network, ...]:
    """The proxies whose word on the client's address is believed. Raises SettingsError."""
    found = networks(settings.server.trusted_proxies, "server.trusted_proxies")
    for text, network in zip(settings.server.trusted_proxies, found, strict=True):
        if network.prefixlen < _LEAST_BITS[network.version]:
            msg = (
                f"server.trusted_proxies = {text!r}: whoever connects from there may name any address as its own, and "
                f"that would be {'everybody' if network.prefixlen == 0 else 'half the world'}; list the proxies' own "
                "addresses or their private network, such as 127.0.0.1 or 10.0.0.0/8"
            )
            raise SettingsError(msg)
    return found


def networks(texts: tuple[str, ...], key: str) -> tuple[IPv4Network | IPv6Network, ...]:
    """Read addresses and networks, an IPv4-mapped one as IPv4. Raises SettingsError."""
    return tuple(_network(text, key) for text in texts)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _network(text: str, key: str) -> IPv4Network | IPv6Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError:
        msg = f"{key} = {text!r}: not an address or a network; write {_meant(text)}"
        raise SettingsError(msg) from None
    mapped = network.network_address.ipv4_mapped if isinstance(network, IPv6Network) else None
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


def _meant(text: str) -> str:
    """Say what was meant, where that can be told: bits beyond the network's length are the usual slip."""
    try:
        network = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return "one like 192.0.2.7, 192.0.2.0/24 or 2001:db8::/32"
    return f"{network} for the network, or {text.partition('/')[0]} for the one address"


def _check_pair(server: ServerSettings) -> None:
    if server.tls_cert is not None and server.tls_key is None:
        msg = f"server.tls_cert = {str(server.tls_cert)!r}: its key is missing; set server.tls_key (--tls-key)"
        raise SettingsError(msg)
    if server.tls_key is not None and server.tls_cert is None:
        msg = f"server.tls_key = {str(server.tls_key)!r}: its certificate is missing; set server.tls_cert (--tls-cert)"
        raise SettingsError(msg)


def _check_proxy_protocol(server: ServerSettings) -> None:
    if not server.proxy_protocol:
        return
    if not server.trusted_proxies:
        msg = (
            "server.proxy_protocol = true: nobody is trusted to send it; list the proxies' addresses in "
            "server.trusted_proxies (--trusted-proxy)"
        )
        raise SettingsError(msg)
    if server.tls_cert is not None:
        msg = (
            "server.proxy_protocol = true: not together with server.tls_cert, because the header comes before TLS "
            "begins; let the proxy end TLS, or leave the header out"
        )
        raise SettingsError(msg)


def _check_reach(server: ServerSettings) -> None:
    if is_loopback(server.host) or server.tls_cert or server.trusted_proxies or server.allow_plain_http:
        return
    msg = (
        f"server.host = {server.host!r}: other machines could reach it, and passwords and chats would travel readable. "
        "Either give it a certificate (--tls-cert FILE --tls-key FILE), or name the proxy that speaks TLS before it "
        "(--trusted-proxy ADDRESS), or say that this is meant (--allow-plain-http)"
    )
    raise SettingsError(msg)


_NEEDED = {"map": ("map_file",), "webhook": ("webhook_url", "webhook_secret")}


def _check_firewall(firewall: FirewallSettings) -> None:
    if firewall.mode == "on" and firewall.target == "none":
        msg = "firewall.mode = 'on': nobody is named who keeps sources out; set firewall.target, or try it with dry_run"
        raise SettingsError(msg)
    for name in _NEEDED.get(firewall.target, ()):
        if getattr(firewall, name) is None:
            msg = f"firewall.target = {firewall.target!r}: set firewall.{name}"
            raise SettingsError(msg)
    if firewall.webhook_secret is not None:
        try:
            secret_of(firewall.webhook_secret)
        except ValueError as error:
            msg = f"firewall.webhook_secret: {error}; make one with: echo whsec_$(openssl rand -base64 32)"
            raise SettingsError(msg) from None


def _check_mail(mail: MailSettings) -> None:
    try:
        check_mail(mail)
    except ValueError as error:
        raise SettingsError(str(error)) from None
