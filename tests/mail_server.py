"""A real SMTP server for tests, with login, STARTTLS or TLS where asked for."""

import datetime
import ipaddress
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.processes import until
from tests.servers import held_port

USER, PASSWORD = "lacuna", "a letter to nobody"


@dataclass
class Mailbox:
    """The messages that a server has accepted. certificate: the file that a client has to trust."""

    port: int
    certificate: Path | None
    messages: list[EmailMessage] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)  # the reply to each address that is not taken

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if reply := self.refused.get(address):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 known"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 taken"

    def to(self, address: str) -> str:
        """Return the text of the newest message to `address`."""
        bodies = [str(message.get_content()) for message in self.messages if message["To"] == address]
        assert bodies, [str(message["To"]) for message in self.messages]
        return bodies[-1]

    def invitation_to(self, address: str) -> str:
        """Wait until an invitation to `address` arrives, and return the path of its link."""
        links: list[str] = []

        def arrived() -> bool:
            for message in [one for one in list(self.messages) if one["To"] == address]:
                links.extend(re.findall(r"http://[^/]+(/invitation/\S+)", str(message.get_content())))
            return bool(links)

        until(arrived, f"an invitation to {address} arrives")
        return links[-1]


def check_login(
    _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, credentials: object
) -> AuthResult:
    """Let in whoever has USER and PASSWORD."""
    expected = LoginPassword(USER.encode(), PASSWORD.encode())
    return AuthResult(success=credentials == expected, handled=False)


@contextmanager
def mail_server(
    directory: Path, *, security: str = "", login: bool = False, port: int = 0
) -> Iterator[Mailbox]:
    """Run a server. security: "", "starttls" or "tls" (LACUNA_MAIL_SECURITY). port: 0 for one of its own."""
    certificate = self_signed(directory) if security else None
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with held_port(port) as held:
        port = held.getsockname()[1]
    mailbox = Mailbox(port, certificate)
    controller = Controller(
        mailbox,
        hostname="127.0.0.1",
        port=port,
        ssl_context=context if security == "tls" else None,
        tls_context=context if security == "starttls" else None,
        require_starttls=security == "starttls",
        authenticator=check_login,
        auth_required=login,
        auth_require_tls=security == "starttls",
    )
    controller.start()
    try:
        yield mailbox
    finally:
        controller.stop()


def self_signed(directory: Path) -> Path:
    """Write a certificate for 127.0.0.1, and its key beside it with the ending .key. Return its path."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(address, critical=False)
        .sign(key, hashes.SHA256())
    )
    path = directory / "mail-server.pem"
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    path.with_suffix(".key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return path
