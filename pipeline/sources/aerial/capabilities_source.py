"""Base of sources with a capabilities document (WMTS, WMS). The document is read with the first chip."""

import threading
from typing import Generic, TypeVar

from pipeline.config import sources as config
from pipeline.digest import digest
from pipeline.errors import ConfigError, Problem
from pipeline.net.base import Client, Provider
from pipeline.sources.aerial import capabilities
from pipeline.sources.aerial.service import Attribution
from pipeline.sources.aerial.templates import Template
from pipeline.sources.aerial.terms import check_credits, check_open, parse_date
from pipeline.sources.aerial.xyz import own_provider

SettingsT = TypeVar("SettingsT", config.WmtsSource, config.WmsSource)


class CapabilitiesSource(Generic[SettingsT]):
    """A source of pictures that a capabilities document describes."""

    synthetic = False

    def __init__(self, name: str, settings: SettingsT, client: Client, version: int) -> None:
        """Check the settings; nothing is fetched.

        Raises:
            ConfigError: the terms forbid the use, the licence says nothing, or a key is not used.
        """
        self.name = name
        self._settings: SettingsT = settings
        self._version = version
        self._where = f"sources.aerial.{name}"
        self._attribution, self._provider = _checked(settings, self._where)
        self._session = client.session(self._provider)
        self._lock = threading.Lock()

    def fingerprint(self) -> str:
        """Digest of the settings. Later changes on the server are not known."""
        return digest(self._version, self._settings.model_dump(mode="json", exclude={"rate"}))

    def provider(self) -> Provider:
        """The server, with its limits and key."""
        return self._provider


def _checked(settings: config.WmtsSource | config.WmsSource, where: str) -> tuple[Attribution, Provider]:
    """Attribution and provider of a source with a capabilities document.

    Raises:
        ConfigError: a fault of the settings.
    """
    problems: list[Problem] = []
    capabilities.check_address(settings.capabilities, settings.key_env, f"{where}.capabilities", problems)
    check_credits(settings.credits, f"{where}.credits", problems)
    check_open(settings.capabilities, None, f"{where}.capabilities", problems)
    captured_at = parse_date(settings.captured_on, f"{where}.captured_on", problems)
    if problems:
        raise ConfigError(problems)
    terms, template = settings.credits, Template(settings.capabilities)
    provider = own_provider(
        template.origins, template.key(settings.key_env), settings.rate, judge=capabilities.ogc_verdict, documented=True
    )
    return Attribution(terms.author, terms.licence, terms.link, captured_at), provider
