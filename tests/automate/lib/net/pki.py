"""A little certificate authority, for receivers and those who call them."""

from __future__ import annotations

import datetime as dt
import ssl
import tempfile
from dataclasses import dataclass
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True)
class Issued:
    """A certificate and its private key, both in PEM."""

    certificate: str
    private_key: str


class Authority:
    """Signs certificates for names and addresses, for servers and for clients."""

    def __init__(self, name: str = "Little CA") -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _named(name)
        self.certificate = self._signed(
            self._name,
            self._key,
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (_usage(signs=True), True),
        )

    def issue(self, name: str = "client", *names: str) -> Issued:
        key = ec.generate_private_key(ec.SECP256R1())
        others = [_general(each) for each in names or (name,)]
        signed = self._signed(
            _named(name), key, (x509.SubjectAlternativeName(others), False)
        )
        return Issued(signed, private_pem(key))

    def server(self, *names: str, asks: Authority | None = None) -> ssl.SSLContext:
        """A server's context; with `asks` it wants a certificate of that authority."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        issued = self.issue("receiver", *(names or ("localhost", "127.0.0.1")))
        with tempfile.NamedTemporaryFile("w", suffix=".pem") as file:
            file.write(issued.private_key + issued.certificate)
            file.flush()
            context.load_cert_chain(file.name)
        if asks is not None:
            context.load_verify_locations(cadata=asks.certificate)
            context.verify_mode = ssl.CERT_REQUIRED
        return context

    def _signed(
        self,
        name: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *extensions: tuple[x509.ExtensionType, bool],
    ) -> str:
        now = dt.datetime.now(dt.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(days=1))
            .not_valid_after(now + dt.timedelta(days=1))
        )
        for extension, critical in extensions:
            builder = builder.add_extension(extension, critical=critical)
        made = builder.sign(self._key, hashes.SHA256())
        return made.public_bytes(_PEM).decode()


def private_pem(key: ec.EllipticCurvePrivateKey, phrase: bytes = b"") -> str:
    """The key in PKCS #8, perhaps under a pass phrase."""
    how: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if phrase:
        how = serialization.BestAvailableEncryption(phrase)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(_PEM, form, how).decode()


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )
