"""Which addresses may be asked."""

import asyncio
import ipaddress
import socket

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from pipeline.config.network import Network
from pipeline.errors import ConfigError, SiteError
from pipeline.net.addresses import PublicResolver, check, is_public, origin_of, parse_origin, parse_url
from pipeline.net.base import Provider, Request
from pipeline.net.client import HttpClient
from schemas.reasons import Reason

ALLOWED = tuple(
    parse_origin(text, allow_loopback=True)
    for text in ("https://api.example.org", "https://*.pictures.example", "http://127.0.0.1:8765")
)

UNSAFE = [
    "http://api.example.org/",  # no https
    "https://api.example.org:8443/",
    "https://example.org/",
    "https://api.example.org.evil.example/",
    "https://evilapi.example.org/",
    "https://pictures.example/",  # the pattern is for its subdomains
    "https://evilpictures.example/",
    "https://a.pictures.example.evil.example/",
    "https://a.pictures.example./",
    "https://user@api.example.org/",
    "https://user:word@api.example.org/",
    "https://api.example.org@evil.example/",
    "https://evil.example\\@api.example.org/",
    "https://evil.example#@api.example.org/",
    "https://evil.example?@api.example.org/",
    "ftp://api.example.org/",
    "file:///etc/passwd",
    "data:text/plain,x",
    "//api.example.org/x",
    "/x",
    "",
    "https://",
    "https:///x",
    "https://api.example.org:0/",
    "https://api.example.org:99999/",
    "https://api.example.org:x/",
    "https://api.example.org:-1/",
    "https://api.example.org:65536/",
    "https://api.example.org:+443/",
    "https://api.example.org:4_4_3/",
    "https://api.example.org:443:443/",
    "https://api.example.org:99999999999999999999/",
    "https://a.pictures.example:99999/x.jpg",
    "https://\ud800.pictures.example/",
    "https://[::1/",
    "https://api%2eexample%2eorg/",
    "https://api.example.org /",
    "https://api.example.org/a b",
    "https://api.example.org/\r\nHost: evil.example",
    "https://api.example.org/\x00",
    "https://api.example.org\t/",
    "https://127.0.0.1/",
    "https://127.1/",
    "https://0x7f000001/",
    "https://0x7f.0.0.1/",
    "https://2130706433/",
    "https://017700000001/",
    "https://0177.0.0.1/",
    "https://0/",
    "https://[::1]/",
    "https://[::ffff:127.0.0.1]/",
    "https://[fe80::1%25eth0]/",
    "https://[::ffff:7f00:1].pictures.example/",
    "https://169.254.169.254/latest/meta-data",
    "https://10.0.0.1/",
    "https://100.64.0.1/",
    "https://8.8.8.8/",
    "https://\uff11\uff12\uff17.0.0.1/",
    "https://localhost/",
    "https://metadata/",
    "http://127.0.0.1:8766/",  # loopback, but not the origin's own port
    "http://127.0.0.1/",
    "http://localhost:8765/",
    "http://[::1]:8765/",
    "http://2130706433:8765/",
    "https://127.0.0.1:8765/",
]


@pytest.mark.parametrize("text", UNSAFE)
def test_unsafe_addresses_are_refused(text: str) -> None:
    with pytest.raises(SiteError) as caught:
        check(parse_url(text), ALLOWED)
    assert caught.value.reason is Reason.UNSAFE_ADDRESS


@pytest.mark.parametrize(
    "text",
    [
        "https://api.example.org",
        "https://API.Example.ORG/a",
        "https://api.example.org:443/a?b=c",
        "https://a.pictures.example/x.jpg?sig=a%2Fb",
        "https://a.b.pictures.example/",
        "http://127.0.0.1:8765/x",
    ],
)
def test_addresses_of_the_provider_pass(text: str) -> None:
    check(parse_url(text), ALLOWED)


@given(st.text(max_size=40), st.sampled_from(["", "https://a.pictures.example", "https://a.pictures.example:", "//"]))
def test_whatever_stands_for_an_address_is_asked_or_refused(text: str, start: str) -> None:
    try:
        url = parse_url("https://api.example.org/").join(parse_url(start + text))
        check(url, ALLOWED)
        str(url)
    except SiteError:
        return


def test_a_signed_address_is_sent_as_it_stands() -> None:
    signed = "https://a.pictures.example/p%2Fq/x.jpg?sig=a%2Fb%20c+d&x=%7e"
    assert str(parse_url(signed)) == signed


@pytest.mark.parametrize(
    "text",
    [
        "http://example.org",
        "https://example.org/path",
        "https://10.0.0.1",
        "https://*.127.0.0.1",
        "https://*.",
        "https://*.com",
    ],
)
def test_origins_are_checked_too(text: str) -> None:
    with pytest.raises(SiteError):
        parse_origin(text, allow_loopback=True)


def test_an_origin_is_told_with_its_port_unless_that_is_the_scheme_s() -> None:
    told = [
        origin_of(URL(url)).name for url in ("https://example.org/a", "http://example.org", "http://127.0.0.1:8765/")
    ]
    assert told == ["example.org", "example.org", "127.0.0.1:8765"]


def test_loopback_needs_the_setting() -> None:
    with pytest.raises(SiteError, match=r"network\.allow_loopback"):
        parse_origin("http://127.0.0.1:8765", allow_loopback=False)
    provider = Provider("x", ("http://127.0.0.1:8765", "http://example.org", "https://example.org"), 1, 1)
    with pytest.raises(ConfigError) as caught:
        HttpClient(Network()).session(provider)
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    "address",
    [
        "0.0.0.0", "10.1.2.3", "100.64.0.1", "127.0.0.1", "127.255.0.1", "169.254.169.254", "172.16.0.1", "192.0.0.1",
        "192.0.2.1", "192.88.99.1", "192.168.1.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1",
        "240.0.0.1", "255.255.255.255",
        "::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "ff02::1", "2001:db8::1",
        "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::7f00:1",
        "64:ff9b:1::a00:1", "2002:7f00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "100::1", "no address",
        "192.0.0.192", "192.0.0.8", "192.0.0.9", "192.0.0.170", "168.63.129.16", "192.31.196.1", "192.52.193.1",
        "192.175.48.6", "100.100.100.200", "0.1.2.3", "239.255.255.250", "64:ff9b::808:808", "100:0:0:1::1",
        "2001:1::1", "2001:2::1", "2001:3::1", "2001:4:112::1", "2001:10::1", "2001:20::1", "2001:30::1",
        "2620:4f:8000::1", "3fff::1", "3fff:fff::1", "5f00::1", "fd20:ce::254",
    ],
)  # fmt: skip
def test_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    [
        "1.1.1.1", "8.8.8.8", "142.250.74.36", "168.63.129.15", "168.63.129.17", "192.0.1.1", "192.31.195.255",
        "2606:4700:4700::1111", "2a00:1450::1", "2001:200::1", "2001:4860:4860::8888", "2620:4f:7fff::1",
    ],
)  # fmt: skip
def test_addresses_that_are_public(address: str) -> None:
    assert is_public(address)


@given(st.ip_addresses(v=4))
def test_no_private_address_counts_as_public(address: object) -> None:
    ip = ipaddress.IPv4Address(str(address))
    if ip.is_private or ip.is_multicast or ip in ipaddress.IPv4Network("100.64.0.0/10"):
        assert not is_public(str(ip))


class Fixed(AbstractResolver):
    """Resolves every name to the same addresses."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = addresses
        self.asked: list[str] = []

    async def resolve(
        self,
        host: str,
        port: int = 0,
        family: socket.AddressFamily = socket.AF_UNSPEC,  # noqa: ARG002 - an `AbstractResolver`
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self.addresses
        ]

    async def close(self) -> None:
        pass


def test_only_public_addresses_of_a_name_are_handed_on() -> None:
    found = asyncio.run(PublicResolver(Fixed("10.0.0.1", "8.8.8.8", "::ffff:10.0.0.1")).resolve("example.org", 443))
    assert [one["host"] for one in found] == ["8.8.8.8"]


def test_localhost_is_loopback_only() -> None:
    found = asyncio.run(PublicResolver(Fixed("8.8.8.8", "127.0.0.1")).resolve("localhost", 80))
    assert [one["host"] for one in found] == ["127.0.0.1"]


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "::1", "64:ff9b::7f00:1"])
def test_a_public_name_that_leads_inside_is_refused_for_good(address: str) -> None:
    resolver = Fixed(address)
    client = HttpClient(Network(cache_gb=0, allow_loopback=True), resolver=resolver)
    session = client.session(Provider("x", ("https://api.example.org",), 100, 10))
    with pytest.raises(SiteError) as caught:
        session.fetch(Request("https://api.example.org/x"))
    client.close()
    assert caught.value.reason is Reason.UNSAFE_ADDRESS
    assert resolver.asked == ["api.example.org"]  # once: no second try


def test_a_session_takes_up_public_origins_only() -> None:
    session = HttpClient(Network(allow_loopback=True)).session(Provider("x", ("https://api.example.org",), 1, 1))
    for unsafe in ("http://more.example.org", "https://10.0.0.1", "http://127.0.0.1:80", "https://localhost", "x"):
        with pytest.raises(SiteError) as caught:
            session.allow(unsafe)
        assert caught.value.reason is Reason.UNSAFE_ADDRESS
    with pytest.raises(SiteError, match="not an address of this source"):
        session.fetch(Request("https://more.example.org/x"))
    session.allow("https://more.example.org")
    session.allow("https://more.example.org/")
    check(parse_url("https://more.example.org/x"), session.origins)


def test_an_endless_address_is_refused_before_it_is_parsed() -> None:
    for text in (f"https://{'a' * 1_000_000}.org/", f"https://{'ü' * 1_000_000}.de/", f"https://a.org/{'x' * 9_000}"):
        with pytest.raises(SiteError, match="at most 8,000 allowed") as caught:
            parse_url(text)
        assert caught.value.reason == Reason.UNSAFE_ADDRESS
        assert len(caught.value.detail) < 200
    parse_url(f"https://a.org/x?signature={'x' * 4_000}")
