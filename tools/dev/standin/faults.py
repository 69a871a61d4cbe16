"""Every fault that the stand-in can show, what it is like, and where it occurs.

The list has what public sources were seen to do, or may do without breaking a promise. Where each is made:
`fault_responses` (on the wire), `library` (in what is said of a photo), and the providers' own modules. `fault_rules`
decides which request meets which fault.
"""

from dataclasses import dataclass
from enum import StrEnum


class Provider(StrEnum):
    """Services that the stand-in plays."""

    PANORAMAX = "panoramax"
    MAPILLARY = "mapillary"
    KARTAVIEW = "kartaview"
    GOOGLE = "google"
    TILES = "tiles"
    WMTS = "wmts"
    OVERPASS = "overpass"


class Part(StrEnum):
    """The kind of answer that a request is for. `item` is no request: one photo within whatever tells of it."""

    DOCUMENT = "document"
    LISTING = "listing"
    VECTOR = "vector"
    ENTITY = "entity"
    PICTURE = "picture"
    TILE = "tile"
    MAP = "map"
    ITEM = "item"


class Kind(StrEnum):
    """Kinds of faults, by what a careful client can do about them."""

    TRANSIENT = "transient"
    """Dealt by share it passes after a try or two."""
    PERMANENT = "permanent"
    """It stays with the request or the photo."""
    HARMLESS = "harmless"
    """It stays, and the answer can be used all the same."""
    FATAL = "fatal"
    """Nothing of this provider can be had until somebody acts."""


class Fault(StrEnum):
    """A fault. What each is: `FAULTS`."""

    TRUNCATED = "truncated"
    RESET = "reset"
    STALL = "stall"
    SLOW_LORIS = "slow_loris"
    HTML = "html"
    UNDECODABLE = "undecodable"
    IMAGE_BOMB = "image_bomb"
    GZIP_BOMB = "gzip_bomb"
    EMPTY = "empty"
    NO_CONTENT = "no_content"
    BLANK = "blank"
    SERVER_ERROR = "server_error"
    BAD_GATEWAY = "bad_gateway"
    UNAVAILABLE = "unavailable"
    GATEWAY_TIMEOUT = "gateway_timeout"
    BAD_REQUEST = "bad_request"
    UNAUTHORIZED = "unauthorized"
    FORBIDDEN = "forbidden"
    NOT_FOUND = "not_found"
    GONE = "gone"
    EXPIRED = "expired"
    RETRY_SECONDS = "retry_seconds"
    RETRY_DATE = "retry_date"
    RETRY_ABSENT = "retry_absent"
    RETRY_ABSURD = "retry_absurd"
    REDIRECT_HOST = "redirect_host"
    REDIRECT_LOOPBACK = "redirect_loopback"
    REDIRECT_METADATA = "redirect_metadata"
    REDIRECT_LOOP = "redirect_loop"
    GRAPH_190 = "graph_190"
    GRAPH_4 = "graph_4"
    GRAPH_17 = "graph_17"
    GRAPH_613 = "graph_613"
    GRAPH_100 = "graph_100"
    TOO_MUCH_DATA = "too_much_data"
    REMARK = "remark"
    PAGING_LOOP = "paging_loop"
    DUPLICATE_IDS = "duplicate_ids"
    OUT_OF_BOX = "out_of_box"
    TMS_ROWS = "tms_rows"
    ID_TYPES = "id_types"
    MISSING_KEYS = "missing_keys"
    NAN = "nan"
    INFINITY = "infinity"
    LONGITUDE_OVER_180 = "longitude_over_180"
    ZERO_POSITION = "zero_position"
    SWAPPED = "swapped"
    NO_LICENCE = "no_licence"
    PROPRIETARY = "proprietary"
    WRAPPED_ALTITUDE = "wrapped_altitude"


@dataclass(frozen=True)
class About:
    """Facts about a fault."""

    kind: Kind
    parts: frozenset[Part]
    """Where a plan may ask for it."""
    dealt: frozenset[Part]
    """Where a fault share deals it: there a build can live with it, if with a site or a photo less."""
    text: str
    providers: frozenset[Provider] = frozenset(Provider)

    def fits(self, provider: Provider, part: Part) -> bool:
        """Whether a plan may ask for it there."""
        return provider in self.providers and part in self.parts


_WIRE = frozenset(Part) - {Part.ITEM}
_PIXELS = frozenset({Part.PICTURE, Part.TILE})
_ONE = _PIXELS | {Part.ENTITY}
_LISTING = frozenset({Part.LISTING})
_ITEM = frozenset({Part.ITEM})
_NOWHERE: frozenset[Part] = frozenset()
_MAPILLARY = frozenset({Provider.MAPILLARY})
_PANORAMAX = frozenset({Provider.PANORAMAX})
_NUMBERED = frozenset({Provider.MAPILLARY, Provider.KARTAVIEW})
_PHOTOS = frozenset({Provider.PANORAMAX, Provider.MAPILLARY, Provider.KARTAVIEW})
_GRAPH = frozenset({Part.LISTING, Part.ENTITY})


def _transient(text: str) -> About:
    return About(Kind.TRANSIENT, _WIRE, _WIRE, text)


def _permanent(text: str, parts: frozenset[Part] = _WIRE, dealt: frozenset[Part] = _PIXELS) -> About:
    return About(Kind.PERMANENT, parts, dealt, text)


def _graph(text: str) -> About:
    return About(Kind.TRANSIENT, _GRAPH, _GRAPH, text, _MAPILLARY)


def _item(kind: Kind, text: str, providers: frozenset[Provider] = _PHOTOS) -> About:
    return About(kind, _ITEM, _ITEM, text, providers)


FAULTS: dict[Fault, About] = {
    Fault.TRUNCATED: _transient("half of the body, under the Content-Length of all of it, then the connection closes"),
    Fault.RESET: _transient("the connection is reset before the first byte"),
    Fault.STALL: _transient("nothing at all for `slow_s`, then the connection closes"),
    Fault.SLOW_LORIS: _transient("the body a byte at a time for `slow_s`, then the connection closes"),
    Fault.HTML: _transient("200 and a web page, under the type that was asked for"),
    Fault.UNDECODABLE: _permanent("a picture that begins as a JPEG and goes on as noise", _PIXELS),
    Fault.IMAGE_BOMB: _permanent("a PNG of some kB that is 20,000 x 20,000 pixels", _PIXELS),
    Fault.GZIP_BOMB: _permanent("some 100 kB of gzip that unpack to 96 MiB"),
    Fault.EMPTY: _permanent(
        "200 with nothing in it, where there are photos or things; nobody can tell",
        frozenset({Part.LISTING, Part.VECTOR, Part.MAP}),
        _NOWHERE,
    ),
    Fault.NO_CONTENT: _permanent("204", _PIXELS),
    Fault.BLANK: _permanent("a tile of one colour", frozenset({Part.TILE}), frozenset({Part.TILE})),
    Fault.SERVER_ERROR: _transient("500"),
    Fault.BAD_GATEWAY: _transient("502 with a web page"),
    Fault.UNAVAILABLE: _transient("503"),
    Fault.GATEWAY_TIMEOUT: _transient("504 with a web page"),
    Fault.BAD_REQUEST: _permanent("400"),
    Fault.UNAUTHORIZED: _permanent("401; a client may take it for a refused key", dealt=_NOWHERE),
    Fault.FORBIDDEN: _permanent("403"),
    Fault.NOT_FOUND: _permanent("404", dealt=_ONE),
    Fault.GONE: _permanent("410", dealt=_ONE),
    Fault.EXPIRED: About(
        Kind.TRANSIENT,
        frozenset({Part.PICTURE}),
        frozenset({Part.PICTURE}),
        "403 of an address that has expired; one asked for anew works",
        _MAPILLARY,
    ),
    Fault.RETRY_SECONDS: _transient("429, Retry-After: 1"),
    Fault.RETRY_DATE: _transient("429, Retry-After as a date two seconds away"),
    Fault.RETRY_ABSENT: _transient("429 without Retry-After"),
    Fault.RETRY_ABSURD: _permanent(
        "429, Retry-After: 1000000000; a polite client leaves the host alone", dealt=_NOWHERE
    ),
    Fault.REDIRECT_HOST: _permanent("302 to another host"),
    Fault.REDIRECT_LOOPBACK: _permanent("302 to 127.0.0.1, at a port where nothing may knock (the trap)"),
    Fault.REDIRECT_METADATA: _permanent("302 to 169.254.169.254"),
    Fault.REDIRECT_LOOP: _permanent("302 to the address itself"),
    Fault.GRAPH_190: About(Kind.FATAL, _WIRE, _NOWHERE, "500 and code 190: the key is refused", _MAPILLARY),
    Fault.GRAPH_4: _graph("500 and code 4: the application's request limit"),
    Fault.GRAPH_17: _graph("500 and code 17: the user's request limit"),
    Fault.GRAPH_613: _graph("500 and code 613: the limit of calls"),
    Fault.GRAPH_100: About(
        Kind.PERMANENT, _GRAPH, frozenset({Part.ENTITY}), "400 and code 100: a wrong parameter", _MAPILLARY
    ),
    Fault.TOO_MUCH_DATA: About(
        Kind.PERMANENT, _LISTING, _LISTING, "500, asks to reduce the amount of data: split the box", _MAPILLARY
    ),
    Fault.REMARK: About(
        Kind.TRANSIENT,
        frozenset({Part.MAP}),
        frozenset({Part.MAP}),
        "200 with half of the elements, and a remark that the query broke off",
    ),
    Fault.PAGING_LOOP: About(Kind.TRANSIENT, _LISTING, _LISTING, "the next page is this page", _PHOTOS),
    Fault.DUPLICATE_IDS: About(Kind.HARMLESS, _LISTING, _LISTING, "some photos come twice", _PHOTOS),
    Fault.OUT_OF_BOX: About(
        Kind.HARMLESS, _LISTING, _LISTING, "some photos lie outside of what was asked for", _PHOTOS
    ),
    Fault.TMS_ROWS: _permanent(
        "rows are counted from the south, though the address says otherwise",
        frozenset({Part.TILE, Part.VECTOR}),
        _NOWHERE,
    ),
    Fault.ID_TYPES: _item(Kind.HARMLESS, "the id is a number where it is a string otherwise", _NUMBERED),
    Fault.MISSING_KEYS: _item(Kind.HARMLESS, "every key that may be missing is missing"),
    Fault.NAN: _item(Kind.PERMANENT, "the heading is NaN, which is no JSON"),
    Fault.INFINITY: _item(Kind.PERMANENT, "the longitude is Infinity, which is no JSON"),
    Fault.LONGITUDE_OVER_180: _item(Kind.HARMLESS, "the longitude is 360 more than it should be"),
    Fault.ZERO_POSITION: _item(Kind.PERMANENT, "the position is 0, 0"),
    Fault.SWAPPED: _item(Kind.PERMANENT, "latitude and longitude are swapped"),
    Fault.NO_LICENCE: _item(Kind.PERMANENT, "no licence is stated", _PANORAMAX),
    Fault.PROPRIETARY: _item(Kind.PERMANENT, "the licence is `proprietary`", _PANORAMAX),
    Fault.WRAPPED_ALTITUDE: _item(Kind.HARMLESS, "a negative altitude, as an unsigned 32-bit number", _MAPILLARY),
}


def dealt(provider: Provider, part: Part) -> list[Fault]:
    """The faults that a share deals there, in the order of `Fault`."""
    return [fault for fault in Fault if provider in FAULTS[fault].providers and part in FAULTS[fault].dealt]
