"""A plain client that follows nothing and retries nothing."""

import http.client
import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode, urlsplit


@dataclass
class Got:
    """What came back."""

    status: int
    headers: dict[str, str]
    body: bytes
    complete: bool

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class PlainClient:
    """One request, one answer."""

    timeout_s: float = 200.0
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(
        self, url: str, *, form: dict[str, Any] | None = None, post: bytes | None = None, **headers: str
    ) -> Got:
        parts = urlsplit(url)
        assert parts.hostname is not None
        sent = {**self.headers, **{name.replace("_", "-"): value for name, value in headers.items()}}
        body = urlencode(form).encode() if form is not None else post
        connection = http.client.HTTPConnection(parts.hostname, parts.port, timeout=self.timeout_s)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("GET" if body is None else "POST", path, body, sent)
            response = connection.getresponse()
            complete = True
            try:
                data = response.read()
            except http.client.IncompleteRead as error:
                data, complete = error.partial, False
            return Got(response.status, {k.lower(): v for k, v in response.getheaders()}, data, complete)
        finally:
            connection.close()
