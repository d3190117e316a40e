"""Kind `mtls`: a client certificate, and nothing in the request itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from automate.lib.net.route import tls_context
from workflows.connections.base import Kind


class MutualTls(Kind):
    name = "mtls"
    secrets = ("certificate", "private_key")
    # Everybody who is called sees it, and so may those who read.
    readable = ("certificate",)

    def check(
        self,
        options: Mapping[str, str],  # noqa: ARG002 - the hook has it
        secrets: Mapping[str, str],
    ) -> Iterable[tuple[str, str]]:
        return check_certificate(secrets)


def check_certificate(secrets: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """A problem unless certificate and key, when both are given, belong together."""
    if "certificate" in secrets and "private_key" in secrets:
        try:
            tls_context(secrets["certificate"], secrets["private_key"], "")
        except ValueError as error:
            yield "private_key", f"{error}."[:1].upper() + f"{error}."[1:]


KIND = MutualTls()
