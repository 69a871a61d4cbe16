"""The checks on descriptions, proved: of good descriptions of the synthetic world each spoilt one is noticed.

`python -m tools.dev.bench.grounding` measures the same on 500 sites.
"""

from collections.abc import Sequence

import pytest

from pipeline.captioning.grounding.grounding import fault_of, judge
from pipeline.config.captioning import Grounding
from schemas.records import Sentence, Verdict
from tools.dev.bench.grounding import cases
from tools.dev.mutations.base import Case, Mutation
from tools.dev.mutations.suite import MUTATIONS

POLICY = Grounding()
SITES = 12
MAY_MISS = 2
"""Of each mutation's spoilt descriptions, at most a dozen here; on many sites fewer than 1 in 20 are missed."""


@pytest.fixture(scope="module")
def good() -> list[Case]:
    return cases(SITES, radius_m=400.0)


def judged(case: Case, sentences: Sequence[Sentence]) -> list[Verdict]:
    return judge(sentences, case.evidence, POLICY, "en")


def test_good_descriptions_pass(good: list[Case]) -> None:
    faults = [fault for case in good if (fault := fault_of(judged(case, case.sentences), POLICY))]
    assert not faults
    assert len(good) == SITES


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_spoilt_descriptions_are_noticed_by_their_check(mutation: Mutation, good: list[Case]) -> None:
    made = [(case, spoilt) for case in good if (spoilt := mutation.apply(case)) is not None]
    missed = [
        [s.text for s in spoilt if s not in case.sentences]
        for case, spoilt in made
        if not any(
            v.check in mutation.checks and v.outcome in ("unsupported", "contradicted", "forbidden")
            for v in judged(case, spoilt)
        )
    ]
    assert len(missed) <= MAY_MISS, missed


def test_most_mutations_find_an_occasion(good: list[Case]) -> None:
    idle = [mutation.name for mutation in MUTATIONS if all(mutation.apply(case) is None for case in good)]
    assert len(idle) <= 1, idle


def test_a_mutation_is_the_same_each_time_and_changes_the_text(good: list[Case]) -> None:
    for mutation in MUTATIONS:
        for case in good[:3]:
            spoilt = mutation.apply(case)
            assert spoilt == mutation.apply(case)
            assert spoilt != case.sentences
