import pytest

from schemas.licences import hub_licences, licence_class


@pytest.mark.parametrize(
    ("licence", "kind"),
    [
        ("CC0-1.0", "public-domain"),
        ("LicenseRef-US-Public-Domain", "public-domain"),
        ("LicenseRef-Public-Domain", "public-domain"),
        ("CC-BY-4.0", "attribution"),
        ("CC-BY-3.0-AT", "attribution"),
        ("cc-by-4.0", "attribution"),
        ("etalab-2.0", "attribution"),
        ("MIT", "attribution"),
        ("BSD-2-Clause", "attribution"),
        ("Apache-2.0", "attribution"),
        ("CC-BY-SA-2.0", "share-alike"),
        ("CC-BY-SA-4.0", "share-alike"),
        ("ODbL-1.0", "share-alike"),
        ("MPL-2.0", "share-alike"),
        ("CC-BY-NC-4.0", "other"),
        ("CC-BY-NC-SA-4.0", "other"),
        ("CC-BY-ND-4.0", "other"),
        ("CC-BY-4.0 OR proprietary", "other"),
        ("CC-BY-4.0\n", "other"),
        ("LicenseRef-Not-Public-Domain-At-All", "other"),
        ("", "other"),
    ],
)
def test_class_of_one_licence(licence: str, kind: str) -> None:
    assert licence_class([licence]) == kind


def test_the_strictest_counts() -> None:
    assert licence_class(["CC0-1.0", "CC-BY-4.0"]) == "attribution"
    assert licence_class(["CC-BY-SA-4.0", "CC-BY-4.0", "CC0-1.0"]) == "share-alike"
    assert licence_class(["CC-BY-SA-4.0", "who knows"]) == "other"
    assert licence_class([]) == "other"


def test_hub_names() -> None:
    assert hub_licences(["ODbL-1.0", "CC-BY-SA-4.0", "odbl-1.0"]) == ["cc-by-sa-4.0", "odbl"]
    assert hub_licences(["CC-BY-SA-2.0-UK", "CC0-1.0"]) == ["cc0-1.0", "other"]
