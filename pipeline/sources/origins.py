"""Origins of addresses: scheme, host and port, as a provider states where it may be asked."""

from urllib.parse import urlsplit

from pipeline.errors import SiteError
from pipeline.net import redact
from schemas.reasons import Reason


def origin(url: str) -> str:
    """Scheme, host and port of an address. What is no address stays as it is: the client refuses it."""
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets that hold no IPv6 address
        return url
    return f"{parts.scheme}://{parts.netloc}"


def address_faults(address: str) -> list[tuple[str, str]]:
    """The faults of an address of a build file, whoever's it is: what was found, and what is allowed.

    A key in it is: the settings are written into the workspace and the dataset.
    """
    faults = []
    try:
        urlsplit(address)
    except ValueError as error:
        faults.append((f"{address.partition('?')[0]} ({error})", "an https address"))
    if redact.looks_secret(address.replace("{key}", "")):
        allowed = (
            "none: where the source takes a key, {key} in its place and the environment variable's name in key_env"
        )
        faults.append(("a key or signature in the address", allowed))
    return faults


def host_origins(host: str) -> tuple[str, ...]:
    """The origins that a picture host in a build file stands for: itself and its subdomains.

    One with a port is a test server, asked by plain http.
    """
    return (f"http://{host}",) if ":" in host else (f"https://{host}", f"https://*.{host}")


def origin_of(url: str) -> str:
    """Scheme, host and port of an address.

    Raises:
        SiteError: REFUSED for storage that takes signed requests; UNSAFE_ADDRESS where it is no address.
    """
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise SiteError(Reason.UNSAFE_ADDRESS, f"{url.partition('?')[0][:200]!r}: {error}") from error
    if parts.scheme in {"s3", "gs", "az", "abfs"}:
        found = f"{parts.scheme}://{parts.netloc}{parts.path[:100]}"
        raise SiteError(Reason.REFUSED, f"{found}: requester-pays and signed storage is not supported; https alone is")
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        raise SiteError(Reason.UNSAFE_ADDRESS, f"{url.partition('?')[0][:200]!r} is no https address")
    return f"{parts.scheme}://{parts.netloc.lower()}"
