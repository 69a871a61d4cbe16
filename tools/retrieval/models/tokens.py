"""CLIP token ids of texts."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tools.retrieval.torch_parts import open_clip


class ClipTokens:
    """Converts texts to ids, texts x context: start mark, tokens, end mark, zeros. Long texts are cut at the end.

    Passes to other processes, each of which makes its own tokenizer.
    """

    def __init__(self, context: int) -> None:
        self.context = context
        self._tokenizer: Any = None

    def __call__(self, texts: list[str]) -> NDArray[np.int64]:
        """Tokenize texts."""
        if self._tokenizer is None:
            self._tokenizer = open_clip.tokenizer.SimpleTokenizer(context_length=self.context)
        return np.asarray(self._tokenizer(texts).numpy(), np.int64)

    def __getstate__(self) -> int:
        return self.context

    def __setstate__(self, context: int) -> None:
        self.__init__(context)  # type: ignore[misc]  # a fresh one
