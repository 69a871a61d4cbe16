"""How many examples property tests try: few in the fast suite, the same ones each time; many and new ones on demand."""

from collections.abc import Sequence

from hypothesis import HealthCheck, settings

USUAL = 50
"""Of a test that says nothing."""
THOROUGH = 20 * USUAL


def register() -> None:
    """Make the profiles known: the usual one, and `--hypothesis-profile=thorough`."""
    # How long an example takes says more about the machine than about the code.
    quiet = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("geoscribe", quiet, max_examples=USUAL, derandomize=True)
    settings.register_profile("thorough", quiet, max_examples=THOROUGH, derandomize=False)
    settings.load_profile("geoscribe")


def examples(count: int, suppress: Sequence[HealthCheck] = ()) -> settings:
    """Settings of a test whose examples are dear: so many usually, and as many times more as others when thorough."""
    default = settings.default
    assert default is not None
    more = default.max_examples // USUAL
    return settings(max_examples=count * more, suppress_health_check=[*default.suppress_health_check, *suppress])
