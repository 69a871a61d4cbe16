"""A network client whose every answer is the bytes under test, judged as the real one judges them."""

from collections.abc import Callable, Sequence

from pipeline.errors import MachineError, SiteError
from pipeline.net.addresses import origin_of, parse_url
from pipeline.net.base import Provider, Request, Response
from pipeline.net.status import retry_after
from pipeline.net.transport import Reply
from pipeline.net.validation import judge
from schemas.reasons import Reason

Serve = Callable[[Request], tuple[bytes, str]]
"""Body and media type of the answer to a request."""


class FuzzClient:
    """Implements `pipeline.net.base.Client` and `Session` without a network."""

    def __init__(self, serve: Serve) -> None:
        self.serve = serve
        self._provider = Provider("fuzz", (), 1, 1)

    def session(self, provider: Provider) -> "FuzzClient":
        """Itself, with the provider's way to judge answers."""
        made = FuzzClient(self.serve)
        made._provider = provider
        return made

    def fetch(self, request: Request) -> Response:
        """The bytes under test, if they are judged ok."""
        origin_of(parse_url(request.url))
        body, kind = self.serve(request)
        headers = {"content-type": kind, "retry-after": body[:30].decode("latin-1"), "etag": '"1"'}
        status = 200
        if request.first is not None or request.length is not None:
            first = request.first or 0
            part = body[first : first + (request.length or len(body))]
            headers["content-range"] = f"bytes {first}-{first + len(part) - 1}/{len(body)}"
            body, status = part, 206
        if len(body) > request.max_bytes:
            raise SiteError(Reason.ANSWER_TOO_LARGE, "too large")
        verdict = judge(self._provider, request, Reply(status, headers, body), with_key=False)
        retry_after(headers)
        if verdict.kind == "fatal":
            raise MachineError(verdict.detail)
        if verdict.kind != "ok":
            raise SiteError(verdict.reason or Reason.BAD_ANSWER, verdict.detail)
        return Response(body, status, kind, headers, request.url)

    def fetch_many(self, requests: Sequence[Request]) -> list[Response | Exception]:
        """Likewise, a `SiteError` in place of what failed."""
        return [self._one(request) for request in requests]

    def allow(self, origin: str) -> None:
        """Take up an origin, if it is one."""
        origin_of(parse_url(origin))

    def _one(self, request: Request) -> Response | Exception:
        try:
            return self.fetch(request)
        except SiteError as error:
            return error


def any_json(body: bytes) -> Serve:
    """Serves the same JSON whatever is asked; robots.txt has nothing to do with it."""
    return lambda _: (body, "application/json")
