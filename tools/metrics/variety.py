"""How much descriptions differ in their words, each a list of words as `words_of` gives it."""

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence

import numpy as np

from tools.metrics.intervals import Estimate, Floats, jackknife

Words = list[str]
Gram = tuple[str, ...]

OPENING_WORDS, OPENINGS = 4, 20
LEAST_JACCARD = 0.8
_SHINGLE = 3
_ORDERS = 4
_NO_MATCH = 0.1
_WORD = re.compile(r"[^\W_]+(?:['\u2019-][^\W_]+)*")


def words_of(text: str) -> Words:
    """The words of a text, case folded; runs of letters and digits, with the apostrophes and hyphens inside them."""
    return _WORD.findall(text.casefold())


def grams(words: Sequence[str], n: int) -> Iterator[Gram]:
    """Runs of n words."""
    return zip(*(words[i:] for i in range(n)), strict=False)


def type_token_ratio(words: Words) -> float:
    """Different words over words of one text; it falls as a text grows. 0 of no words."""
    return len(set(words)) / len(words) if words else 0.0


def distinct(texts: Sequence[Words], n: int) -> Estimate | None:
    """Different n-grams over n-grams of all texts together (Li et al. 2016, arXiv:1510.03055).

    It falls as texts are added. None where there is no n-gram.
    """
    counts = [Counter(grams(words, n)) for words in texts]
    holders = Counter(gram for count in counts for gram in count)
    total, kinds = sum(count.total() for count in counts), len(holders)
    if not total:
        return None
    without = []
    for count in counts:
        alone = sum(holders[gram] == 1 for gram in count)
        left = total - count.total()
        without.append((kinds - alone) / left if left else kinds / total)
    return jackknife(kinds / total, without)


def self_bleu(texts: Sequence[Words]) -> list[float]:
    """BLEU-4 of each text against all others (Zhu et al. 2018, arXiv:1802.01886); empty for fewer than two texts.

    An n-gram counts as often as in the other text that has it most. The brevity penalty is that of the other text
    whose length is nearest, the shorter of two. An order without a match counts as 0.1 matches (method 1 of Chen and
    Cherry 2014).
    """
    if len(texts) < 2:
        return []
    logs = np.zeros(len(texts))
    for n in range(1, _ORDERS + 1):
        counts = [Counter(grams(words, n)) for words in texts]
        most: dict[Gram, tuple[int, int]] = {}  # the two greatest counts of an n-gram in any text
        for count in counts:
            for gram, times in count.items():
                first, second = most.get(gram, (0, 0))
                most[gram] = (times, first) if times > first else (first, max(second, times))
        for i, count in enumerate(counts):
            matches = 0
            for gram, times in count.items():
                first, second = most[gram]
                matches += min(times, second if times == first else first)
            logs[i] += math.log((matches or _NO_MATCH) / max(count.total(), 1)) / _ORDERS
    lengths = [len(words) for words in texts]
    return [math.exp(log) * _brevity(i, lengths) for i, log in enumerate(logs.tolist())]


def _brevity(i: int, lengths: Sequence[int]) -> float:
    nearest = min((abs(other - lengths[i]), other) for j, other in enumerate(lengths) if j != i)[1]
    return 1.0 if lengths[i] >= nearest else math.exp(1 - nearest / max(lengths[i], 1))


def near_duplicates(texts: Sequence[Words]) -> list[bool]:
    """Whether each text has another whose word trigrams are nearly the same: Jaccard index at least 0.8.

    Texts of fewer than three words have no trigram and no duplicate.
    """
    sets = sorted(((set(grams(words, _SHINGLE)), i) for i, words in enumerate(texts)), key=lambda pair: len(pair[0]))
    found = [False] * len(texts)
    for a, (one, i) in enumerate(sets):
        if not one:
            continue
        for other, j in sets[a + 1 :]:
            if len(one) < LEAST_JACCARD * len(other):
                break  # sorted by size: none of those that follow can be so alike
            shared = len(one & other)
            if shared >= LEAST_JACCARD * (len(one) + len(other) - shared):
                found[i] = found[j] = True
    return found


def opening(words: Words) -> Gram:
    """The first four words."""
    return tuple(words[:OPENING_WORDS])


def common_openings(texts: Sequence[Words]) -> set[Gram]:
    """The 20 commonest openings, of those that occur more than once."""
    counts = Counter(opening(words) for words in texts if words)
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {gram for gram, times in ranked[:OPENINGS] if times > 1}


def similarities(texts: Sequence[Words]) -> Floats:
    """Cosine of every two texts' word counts, weighted by ln((1 + texts) / (1 + texts with the word)) + 1."""
    counts = [Counter(words) for words in texts]
    holders = Counter(word for count in counts for word in count)
    columns = {word: column for column, word in enumerate(holders)}
    weights = np.zeros((len(texts), len(columns)), np.float32)
    for i, count in enumerate(counts):
        for word, times in count.items():
            weights[i, columns[word]] = times * (math.log((1 + len(texts)) / (1 + holders[word])) + 1)
    weights /= np.maximum(np.linalg.norm(weights, axis=1, keepdims=True), 1e-12)
    return np.asarray(weights @ weights.T, float)
