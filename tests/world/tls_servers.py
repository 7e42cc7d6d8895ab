"""Servers with a certificate, good or bad, that note what a client sends them in the clear and inside TLS."""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_BEGIN, _END = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC), datetime.datetime(2120, 1, 1, tzinfo=datetime.UTC)
_SECONDS = 5.0


@dataclass(frozen=True)
class Certificate:
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    def write(self, path: Path) -> Path:
        """The certificate, and behind it its key."""
        pem = serialization.Encoding.PEM
        private = self.key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        path.write_bytes(self.certificate.public_bytes(pem) + private)
        return path


def certificate(name: str, *, signed_by: Certificate | None) -> Certificate:
    """For this host name. Signed by itself, and able to sign others, where `signed_by` is None."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    signer = signed_by or Certificate(key, None)  # type: ignore[arg-type]
    issuer = signed_by.certificate.subject if signed_by else subject
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_BEGIN)
        .not_valid_after(_END)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=signed_by is None, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.key.public_key()), critical=False)
        .add_extension(_usage(may_sign=signed_by is None), critical=True)
    )
    return Certificate(key, made.sign(signer.key, hashes.SHA256()))


def _usage(*, may_sign: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=may_sign, crl_sign=may_sign, encipher_only=False, decipher_only=False,
    )  # fmt: skip


@dataclass
class Heard:
    port: int
    in_the_clear: bytes = b""
    inside: bytes = b""
    done: threading.Event = field(default_factory=threading.Event)


Begin = Callable[[socket.socket], bytes]


@contextmanager
def serving(file: Path, *, begin: Begin, greeting: bytes = b"") -> Iterator[Heard]:
    """Serves one client with the certificate in this file: `begin` in the clear, then TLS and the greeting."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(_SECONDS)
        heard = Heard(listener.getsockname()[1])

        def serve() -> None:
            with suppress(OSError), listener.accept()[0] as client:
                client.settimeout(_SECONDS)
                heard.in_the_clear = begin(client)
                with context.wrap_socket(client, server_side=True) as inside:
                    inside.sendall(greeting)
                    heard.inside = inside.recv(4_096)
            heard.done.set()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield heard
        finally:
            listener.close()
            thread.join()


def at_once(_: socket.socket) -> bytes:
    return b""


def starttls(client: socket.socket) -> bytes:
    client.sendall(b"220 mail\r\n")
    hello = client.recv(4_096)
    client.sendall(b"250-mail\r\n250 STARTTLS\r\n")
    asked = client.recv(4_096)
    client.sendall(b"220 go on\r\n")
    return hello + asked


def without_starttls(client: socket.socket) -> bytes:
    """Somebody between the two removed it, and goes on in the clear."""
    client.sendall(b"220 mail\r\n")
    heard = client.recv(4_096)
    client.sendall(b"250-mail\r\n250 AUTH PLAIN LOGIN\r\n")
    while more := client.recv(4_096):
        heard += more
        client.sendall(b"250 OK\r\n")
    return heard


def postgresql(client: socket.socket) -> bytes:
    asked = client.recv(8)
    client.sendall(b"S")
    return asked
