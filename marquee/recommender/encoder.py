"""The serving network: history encoder in ONNX Runtime, head in numpy.

    logit_BI = user_gmf @ item_gmf.T + relu(user_mlp[:, None] + item_mlp) @ mlp_out + item_bias

This is NeuMF (He et al. 2017). Its first MLP layer is split, so that the item half is a constant.
The graph computes the last position of a history only (models/history_encoder.py).
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnxruntime

from marquee.core.arrays import Float32, Int64
from marquee.core.errors import InputError
from marquee.core.feature_encodings import FeatureSpace
from marquee.recommender.catalog.split_rows import SplitRows
from marquee.recommender.history import History

INPUTS = ["entry_BLD", "star_BL", "length_B"]
USER_INPUT = "user_BX"  # what the requests say of the users; only where the data set has that
OUTPUTS = ["user_gmf_BD", "user_mlp_BH"]
ITEMS_PER_BLOCK = 2048  # rows of the MLP's first layer in one step: 256 kB at H = 32 stay in cache
# Histories encoded together, so that the activations stay in cache. On one core, with D = 128 and
# the lengths of ml-1m, a batch of 16 takes .9 ms a user, of 64 1.3 ms, and of one 1.0 ms.
USERS_PER_BATCH = 16


class UserVector(NamedTuple):
    gmf_D: Float32
    mlp_H: Float32


class Encoder:
    def __init__(
        self,
        model: bytes,
        item_vectors: SplitRows,
        history_length: int,
        threads: int,
        features: FeatureSpace | None = None,
    ) -> None:
        self._session = open_session("encoder.onnx", model, threads)
        self._features = features if features is not None and features.user else None
        expected = sorted([*INPUTS, USER_INPUT] if self._features else INPUTS)
        inputs = sorted(node.name for node in self._session.get_inputs())
        if inputs != expected:
            raise InputError(f"encoder.onnx: inputs {inputs}, expected {expected}")
        self.item_vectors = item_vectors
        self._history_length = history_length

    def with_vectors(self, item_vectors: SplitRows) -> "Encoder":
        """Return the encoder of histories that may hold further items."""
        encoder = copy.copy(self)
        encoder.item_vectors = item_vectors
        return encoder

    def __call__(self, histories: Sequence[History]) -> Iterator[UserVector]:
        """Encode B non-empty histories, cut to their latest L entries: B user vectors.

        Histories of similar length share a batch, which keeps padding small.
        """
        if not histories:
            return iter(())
        length_B = np.array([min(len(history), self._history_length) for history in histories])
        order = np.argsort(length_B, kind="stable")
        halves = []
        for start in range(0, len(order), USERS_PER_BATCH):
            batch = order[start : start + USERS_PER_BATCH]
            halves.append(self._encode([histories[b] for b in batch], length_B[batch]))
        position = np.argsort(order)
        gmf_BD, mlp_BH = (np.concatenate(half)[position] for half in zip(*halves, strict=True))
        return map(UserVector, gmf_BD, mlp_BH)

    def _encode(self, histories: list[History], length_B: Int64) -> list[Float32]:
        shape = (len(histories), int(length_B.max()))
        entry_BLD = np.zeros((*shape, self.item_vectors.num_columns), dtype=np.float32)
        rating_bin_BL = np.zeros(shape, dtype=np.int64)
        for b, (history, n) in enumerate(zip(histories, length_B, strict=True)):
            entry_BLD[b, :n] = self.item_vectors[history.item_L[-n:]]
            rating_bin_BL[b, :n] = history.rating_bin_L[-n:]
        inputs = dict(zip(INPUTS, (entry_BLD, rating_bin_BL, length_B), strict=True))
        if self._features:
            rows = [self._features.encode_user(history.viewer) for history in histories]
            inputs[USER_INPUT] = np.stack(rows)
        outputs: list[Float32] = self._session.run(OUTPUTS, inputs)
        return outputs


def open_session(name: str, model: bytes, threads: int) -> onnxruntime.InferenceSession:
    """Return a session of a bundle's graph; InputError names the file."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime raises its own, unrelated classes
        raise InputError(f"{name}: ONNX Runtime cannot load it ({error})") from error


@dataclass(frozen=True, eq=False, kw_only=True)
class Head:
    """The item half of the head, for all items or for some of them."""

    item_gmf_ID: Float32
    item_mlp_HI: Float32  # transposed, because whole rows of I numbers are fast to read
    mlp_out_H: Float32
    item_bias_I: Float32

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, np.ndarray]) -> "Head":
        return cls(
            item_gmf_ID=arrays["item_gmf"],
            item_mlp_HI=np.ascontiguousarray(arrays["item_mlp"].T),
            mlp_out_H=arrays["mlp_out"],
            item_bias_I=arrays["item_bias"],
        )

    def take(self, items: Int64) -> "Head":
        return Head(
            item_gmf_ID=self.item_gmf_ID[items],
            item_mlp_HI=self.item_mlp_HI[:, items],
            mlp_out_H=self.mlp_out_H,
            item_bias_I=self.item_bias_I[items],
        )

    def logits(self, user: UserVector) -> Float32:
        return self.logits_batch([user])[0]

    def logits_batch(self, users: Sequence[UserVector]) -> Float32:
        """Return (B, I) float32 logits of B users, one or more.

        The item matrix is read once for all B, so 16 users take half the time of 16 calls.
        relu(a + u) = max(a, -u) + u: one pass over the large array instead of two.
        """
        user_gmf_BD, user_mlp_BH = map(np.stack, zip(*users, strict=True))
        # The large matrix to the left is twice as fast as to the right, transposition included.
        logit_BI = np.ascontiguousarray((self.item_gmf_ID @ user_gmf_BD.T).T)
        logit_BI += self.item_bias_I
        floor_BH1 = -user_mlp_BH[..., None]
        for start in range(0, len(self.item_bias_I), ITEMS_PER_BLOCK):
            block = slice(start, start + ITEMS_PER_BLOCK)
            mlp_HC = self.item_mlp_HI[:, block]
            hidden_HC = np.empty(mlp_HC.shape, np.float32)
            for logit_I, floor_H1 in zip(logit_BI, floor_BH1, strict=True):
                np.maximum(mlp_HC, floor_H1, out=hidden_HC)
                logit_I[block] += self.mlp_out_H @ hidden_HC
        logit_BI += (user_mlp_BH @ self.mlp_out_H)[:, None]
        return logit_BI
