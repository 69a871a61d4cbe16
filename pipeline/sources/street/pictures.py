"""Reading a photo's picture from an address that may have expired."""

from collections.abc import Callable

from pipeline.errors import SiteError
from pipeline.net.base import Request, Session
from pipeline.sources.base import Photo
from schemas.reasons import Reason


def read(session: Session, photo: Photo, cache_key: str, address: Callable[[], str]) -> bytes:
    """The bytes of a photo's picture.

    Args:
        session: asked without the provider's key.
        photo: its `picture` is tried first, if it has one.
        cache_key: names the picture, whatever its address.
        address: asks the provider for the picture's address; called once at most.

    Raises:
        SiteError: it cannot be had, also not from a fresh address.
    """
    old = photo.picture
    if old is not None:
        try:
            return _fetch(session, old, cache_key)
        except SiteError as error:
            if error.reason not in {Reason.GONE, Reason.REFUSED}:
                raise
            fresh = address()
            if fresh == old:
                raise
    else:
        fresh = address()
    return _fetch(session, fresh, cache_key)


def _fetch(session: Session, url: str, cache_key: str) -> bytes:
    request = Request(url, accept=("image/",), cache="immutable", cache_key=cache_key, send_key=False)
    return session.fetch(request).body
