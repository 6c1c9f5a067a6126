"""The certificate with which this service speaks HTTPS by itself, checked before it is used and renewed in place.

A renewed certificate must not need a restart, and a broken one must not end a
service that runs: files are checked as a whole, and only then do new
connections get them. The context that the listeners hold stays the same for
ever and hands each handshake to the newest one; connections that are open keep
what they began with.
"""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography import x509


class CertificateError(Exception):
    """The certificate or its key cannot be used. The message names the setting and the fix."""


class Certificate:
    """What `server.tls_cert` and `server.tls_key` name."""

    def __init__(self, cert_path: Path, key_path: Path) -> None:
        """Read and check both. Raises CertificateError."""
        self._cert_path, self._key_path = cert_path, key_path
        self._marks = self._look()
        self._newest, self._leaf = _load(cert_path, key_path)
        self.context = _context()
        self.context.sni_callback = self._choose  # OpenSSL calls it also for clients that name no server.

    def renew(self) -> bool:
        """Use what the files hold now, if they have changed. Raises CertificateError, and then nothing changes.

        Cheap when nothing has changed. After an error the next call looks again, so that a
        renewal that was caught between its two files is taken as soon as it is whole.
        """
        marks = self._look()
        if marks == self._marks:
            return False
        self._newest, self._leaf = _load(self._cert_path, self._key_path)
        self._marks = marks
        return True

    @property
    def expires_s(self) -> float:
        """When browsers stop to accept it, in Unix seconds."""
        return self._leaf.not_valid_after_utc.timestamp()

    def warning(self, now: float) -> str | None:
        """What browsers will not like about it now; it is served all the same."""
        if now >= self.expires_s:
            return f"server.tls_cert = {self._cert_path}: expired on {_day(self._leaf.not_valid_after_utc)}; renew it"
        if now < self._leaf.not_valid_before_utc.timestamp():
            begins = _day(self._leaf.not_valid_before_utc)
            return f"server.tls_cert = {self._cert_path}: not valid before {begins}; is this machine's clock right?"
        return None

    def _look(self) -> tuple[tuple[int, int, int], ...]:
        """Tell a renewed file from the one that was read: certbot replaces links, others write in place."""
        found = []
        for setting, path in (("server.tls_cert", self._cert_path), ("server.tls_key", self._key_path)):
            try:
                stat = path.stat()
            except OSError as error:
                raise _unreadable(setting, path, error) from error
            found.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(found)

    def _choose(self, connection: ssl.SSLObject, _name: str | None, _context: ssl.SSLContext) -> None:
        connection.context = self._newest


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(["http/1.1"])
    return context


def _load(cert_path: Path, key_path: Path) -> tuple[ssl.SSLContext, x509.Certificate]:
    leaf = _leaf(cert_path)
    _check_key(cert_path, key_path, leaf)
    context = _context()
    try:
        context.load_cert_chain(cert_path, key_path)
    except (OSError, ssl.SSLError) as error:  # What only OpenSSL knows: a key too small, a curve it does not speak.
        reason = getattr(error, "reason", None) or error
        msg = f"server.tls_cert = {cert_path}: OpenSSL refuses it ({reason}); make a new certificate and key"
        raise CertificateError(msg) from error
    return context, leaf


def _leaf(path: Path) -> x509.Certificate:
    from cryptography import x509  # noqa: PLC0415 - a start without TLS need not wait for it

    try:
        return x509.load_pem_x509_certificates(_read("server.tls_cert", path))[0]
    except ValueError as error:
        msg = f"server.tls_cert = {path}: no certificate in PEM; name the file with the chain, often fullchain.pem"
        raise CertificateError(msg) from error


def _check_key(cert_path: Path, key_path: Path, leaf: x509.Certificate) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - see above
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - see above
        Encoding,
        PublicFormat,
        load_pem_private_key,
    )

    try:
        key = load_pem_private_key(_read("server.tls_key", key_path), password=None)
    except TypeError as error:  # So says cryptography that a password is needed.
        msg = (
            f"server.tls_key = {key_path}: the key is encrypted, and nobody is there to type its password; "
            f"write it without: openssl pkey -in {key_path} -out plain.key"
        )
        raise CertificateError(msg) from error
    except (ValueError, UnsupportedAlgorithm) as error:
        msg = f"server.tls_key = {key_path}: no private key in PEM; name the certificate's key, often privkey.pem"
        raise CertificateError(msg) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != leaf.public_key().public_bytes(*form):
        msg = (
            f"server.tls_key = {key_path}: not the key of the first certificate in {cert_path}; name the key that it "
            "was made for, and put the server's own certificate before those of its issuers"
        )
        raise CertificateError(msg)


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise _unreadable(setting, path, error) from error


def _unreadable(setting: str, path: Path, error: OSError) -> CertificateError:
    return CertificateError(f"{setting} = {path}: {error.strerror}; name a PEM file that the service's user may read")


def _day(when: datetime.datetime) -> str:
    return when.date().isoformat()
