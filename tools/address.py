"""How the gateway of a run on this machine is reached: by plain http, or by TLS where its settings name a certificate."""

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from shared.config import SettingsError, load
from tools.client import Gateway
from tools.processes import Fault

AT: Final = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Address:
    """A gateway at a port of this machine, and the file of its certificate when it speaks TLS."""

    port: int
    certificate: Path | None

    @property
    def host(self) -> str:
        """What the gateway is called: 127.0.0.1, or the name that its certificate is for."""
        if self.certificate is None:
            return AT
        try:
            names = _read(self.certificate).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return AT
        here = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
        called = names.get_values_for_type(x509.DNSName)
        return AT if AT in here or not called else called[0].replace("*", "roster")

    @property
    def url(self) -> str:
        return f"{'http' if self.certificate is None else 'https'}://{self.host}:{self.port}"

    @property
    def curl(self) -> str:
        """curl, with what it needs to know to get there."""
        trusting = "" if self.certificate is None else f" --cacert {shlex.quote(str(self.certificate))}"
        found = "" if self.host == AT else f" --resolve {self.host}:{self.port}:{AT}"
        return f"curl -sS{trusting}{found}"

    def gateway(self) -> Gateway:
        """A client that goes there, and takes this certificate for it and no other."""
        if self.certificate is None:
            return Gateway(f"http://{AT}:{self.port}")
        return Gateway(f"https://{AT}:{self.port}", _read(self.certificate).public_bytes(Encoding.DER))


def address_of(port: int) -> Address:
    """The address of the gateway whose settings are those of this environment. Raises Fault."""
    if not {"GATEWAY_TLS_CERTIFICATE", "GATEWAY_TLS_CERTIFICATE_FILE", "GATEWAY_SETTINGS"} & os.environ.keys():
        return Address(port, None)
    from gateway.config import Settings  # here, since the gateway takes a while to import

    try:
        certificate = load(Settings, "GATEWAY").certificate()
    except SettingsError as error:
        raise Fault(f"gateway: {'; '.join(error.faults)}") from error
    return Address(port, Path(certificate[0]) if certificate else None)


def _read(certificate: Path) -> x509.Certificate:
    """The first certificate in a file: the gateway's own. Raises Fault."""
    try:
        return x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise Fault(f"{certificate} can't be read as a certificate: {error}") from error
