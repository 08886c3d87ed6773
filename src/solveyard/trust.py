"""Trust in one certificate: that file's first, whoever issued it, and whatever it names."""

import ssl
from pathlib import Path

_END = "-----END CERTIFICATE-----"


def pinned(certificate: Path) -> ssl.SSLContext:
    """For clients of a server on this machine whose certificate file is known.

    It must be within its dates; who has its key is the server, by whatever address it is reached.
    Raises OSError; ValueError where the file holds no certificate.
    """
    first, end, _ = certificate.read_text("ascii", "replace").partition(_END)
    if not end:
        raise ValueError(f"{certificate} holds no certificate (in PEM form)")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False  # it's this very certificate, not any that an authority issued
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    context.load_verify_locations(cadata=first[first.index("-----BEGIN") :] + end)
    return context
