"""The two halves of a logit at serving time: history encoder in ONNX Runtime, head in numpy.

    logit_BI = user_gmf @ item_gmf.T + relu(user_mlp[:, None] + item_mlp) @ mlp_out + item_bias

(NeuMF, He et al. 2017, with the first MLP layer split so that the item half is a constant.)
The graph works out a history's last place only (models/towers.py). One core, one layer of D = 96:
encoder 0.07 ms for 5 films and 0.09 ms for 50, and .03 ms each for 16 people with 50; head 0.1 ms
over 3,700 movies and 2 ms over 62,000 (H = 32).

Shapes: B people, L history length, I items, D embedding, H first layer of the MLP.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnxruntime

from marquee.core.errors import InputError
from marquee.recommender.history import History

Float32 = npt.NDArray[np.float32]

INPUTS = ["entry_BLD", "star_BL", "length_B"]
OUTPUTS = ["user_gmf_BD", "user_mlp_BH"]
ITEMS_AT_ONCE = 2048
"""Rows of the MLP's first layer held at once: 256 kB at H = 32, so that they stay in cache."""
PEOPLE_AT_ONCE = 16
"""Histories encoded together: what the layers pass on stays in cache. With D = 128 and the lengths
of ml-1m 16 take .9 ms a person of one core, 64 take 1.3 and one by one 1.0."""


class Encoder:
    """Histories -> the user halves of the head."""

    def __init__(
        self, model: bytes, item_vector_ID: Float32, history_length: int, threads: int
    ) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            self._session = onnxruntime.InferenceSession(
                model, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime raises its own, unrelated classes
            raise InputError(f"encoder.onnx: ONNX Runtime cannot load it ({error})") from error
        found = sorted(node.name for node in self._session.get_inputs())
        if found != sorted(INPUTS):
            raise InputError(f"encoder.onnx: inputs {found}, expected {sorted(INPUTS)}")
        self._item_vector_ID = item_vector_ID
        self._history_length = history_length

    def __call__(self, histories: Sequence[History]) -> Iterator[tuple[Float32, Float32]]:
        """Encode B non-empty histories, each cut to its latest L entries -> B pairs (D,), (H,).

        Histories of similar length go together, so that little is padded.
        """
        if not histories:
            return iter(())
        cut = [min(len(history), self._history_length) for history in histories]
        order = sorted(range(len(cut)), key=cut.__getitem__)
        parts = [
            self._encode([histories[b] for b in order[start : start + PEOPLE_AT_ONCE]])
            for start in range(0, len(order), PEOPLE_AT_ONCE)
        ]
        back = np.argsort(order)
        gmf, mlp = (np.concatenate(half)[back] for half in zip(*parts, strict=True))
        return zip(gmf, mlp, strict=True)

    def _encode(self, histories: list[History]) -> tuple[Float32, Float32]:
        length_B = np.array(
            [min(len(history), self._history_length) for history in histories], dtype=np.int64
        )
        shape = (len(histories), int(length_B.max()))
        entry_BLD = np.zeros((*shape, self._item_vector_ID.shape[1]), dtype=np.float32)
        star_BL = np.zeros(shape, dtype=np.int64)
        for b, (history, n) in enumerate(zip(histories, length_B, strict=True)):
            entry_BLD[b, :n] = self._item_vector_ID[history.item[-n:]]
            star_BL[b, :n] = history.star[-n:]
        feed = dict(zip(INPUTS, (entry_BLD, star_BL, length_B), strict=True))
        gmf, mlp = self._session.run(OUTPUTS, feed)
        return gmf, mlp


@dataclass(frozen=True, eq=False)
class Head:
    """The item halves of the head, for all items or for some of them."""

    item_gmf: Float32  # (I, D)
    item_mlp_HI: Float32  # the other way round: whole rows of I numbers are what is fast
    mlp_out: Float32  # (H,)
    item_bias: Float32  # (I,)

    @classmethod
    def of(cls, arrays: Mapping[str, np.ndarray]) -> "Head":
        item_mlp_HI = np.ascontiguousarray(arrays["item_mlp"].T)
        return cls(arrays["item_gmf"], item_mlp_HI, arrays["mlp_out"], arrays["item_bias"])

    def take(self, rows: npt.NDArray[np.int64]) -> "Head":
        """The head over these rows only."""
        mlp_Hn = self.item_mlp_HI[:, rows]
        return Head(self.item_gmf[rows], mlp_Hn, self.mlp_out, self.item_bias[rows])

    def logits(self, user_gmf_D: Float32, user_mlp_H: Float32) -> Float32:
        """(I,) float32 logits of one person."""
        return self.logits_of(user_gmf_D[None], user_mlp_H[None])[0]

    def logits_of(self, user_gmf_BD: Float32, user_mlp_BH: Float32) -> Float32:
        """(B, I) float32 logits of B people, the MLP in blocks of items.

        relu(a + u) = max(a, -u) + u: one pass over the large array instead of two. The item matrix
        is read once for all B, so 16 people take half the time of 16 calls.
        """
        # The large matrix to the left is twice as fast as to the right, turning included.
        logit_BI = np.ascontiguousarray((self.item_gmf @ user_gmf_BD.T).T)
        logit_BI += self.item_bias
        floor_BH1 = -user_mlp_BH[..., None]
        for part in _blocks(len(self.item_bias)):
            mlp_Hn = self.item_mlp_HI[:, part]
            hidden_Hn = np.empty(mlp_Hn.shape, np.float32)
            for logit_I, floor_H1 in zip(logit_BI, floor_BH1, strict=True):
                np.maximum(mlp_Hn, floor_H1, out=hidden_Hn)
                logit_I[part] += self.mlp_out @ hidden_Hn
        logit_BI += (user_mlp_BH @ self.mlp_out)[:, None]
        return logit_BI


def _blocks(size: int) -> Iterator[slice]:
    for start in range(0, size, ITEMS_AT_ONCE):
        yield slice(start, min(start + ITEMS_AT_ONCE, size))
