"""Texts as vectors: TF-IDF of their words, then a product with word vectors.

    weight[w] = (1 + ln count) x idf[w]        text = weight / |weight| @ vector_VT

Training fits them on word stems (datamodules/text_features.py). Here a table leads from each word
that occurred to the column of its stem, so that serving needs no stemmer. A word that no text of
the training held says nothing, even where its stem was there.
Local letters: R texts, V columns (stems), T text features.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from marquee.core.arrays import Float32
from marquee.core.titles import normalise_title

_WORD = re.compile(r"\w+")


@dataclass(frozen=True, eq=False, kw_only=True)
class WordVectors:
    """The columns of words, their idf, and the leading directions."""

    column_of: Mapping[str, int]
    idf_V: Float32
    vector_VT: Float32

    @property
    def dim(self) -> int:
        return int(self.vector_VT.shape[1])

    def encode(self, texts: Sequence[str]) -> Float32:
        """Return (R, T) float32; zeros for a text without a known word."""
        text_RT = np.zeros((len(texts), self.dim), np.float32)
        for text_T, text in zip(text_RT, texts, strict=True):
            words = _WORD.findall(normalise_title(text))
            counts = Counter(self.column_of[word] for word in words if word in self.column_of)
            if counts:
                columns = np.array(list(counts), np.int64)
                weight = (1 + np.log(list(counts.values()))) * self.idf_V[columns]
                text_T[:] = weight / np.linalg.norm(weight) @ self.vector_VT[columns]
        return text_RT

    def arrays(self) -> dict[str, npt.NDArray[np.float32]]:
        return {"idf": self.idf_V, "vector": self.vector_VT}

    @classmethod
    def from_parts(
        cls, column_of: Mapping[str, int], arrays: Mapping[str, npt.NDArray[np.float32]]
    ) -> "WordVectors":
        return cls(column_of=column_of, idf_V=arrays["idf"], vector_VT=arrays["vector"])
