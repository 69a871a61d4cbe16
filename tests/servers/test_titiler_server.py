import urllib.request

import pytest

pytestmark = pytest.mark.servers


def test_up(titiler: str, panoramax: str) -> None:
    assert urllib.request.urlopen(titiler + "/healthz").status == 200
    assert urllib.request.urlopen(panoramax).status == 200
