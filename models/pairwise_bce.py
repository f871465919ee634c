"""Binary cross-entropy of pairs, M items for each of B users, with all gradients in one pass.

    logit_bm = gmf_b . gmf_i + mlp(hidden_b + hidden_i) + bias_i,          i = item_MB[m, b]
    loss     = mean of log(1 + e^logit) - label logit,    label 1 where m = 0, else 0

models/neumf_head.py explains the split first layer of the MLP. Why by hand: autograd would write
the activations of all pairs to memory and read them back. Here a block of pairs goes forward and
back while its activations are in the cache, and gradients are summed per user and item at the end
with `embedding_bag`. A test compares with autograd's gradients.

Local letters: M items of each user, the watched one first; N pairs of a block, U users of a block,
F factors of the product.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

PAIRS_PER_BLOCK = {"cpu": 1 << 12, "cuda": 1 << 20}  # on a CPU 2 MB of activations at H = 128


def pair_loss(
    gmf_BF: Tensor,
    hidden_BH: Tensor,
    gmf_IF: Tensor,
    hidden_IH: Tensor,
    bias_I: Tensor,
    item_MB: Tensor,
    layers: Sequence[Tensor],
) -> Tensor:
    """Return the mean binary cross-entropy of watched and drawn pairs, in float32.

    gmf_BF, gmf_IF: factors of the product, its weights included in one of them. hidden_BH,
    hidden_IH: the halves of the MLP's first layer before its activation. item_MB: int64, the
    watched items in the first row. layers: weight and bias of each deeper layer, then the output's
    weight, (1, H). The gradient can be requested only once, because it is scaled in place.
    """
    with torch.autocast(gmf_BF.device.type, enabled=False):
        halves = (half.float() for half in (gmf_BF, hidden_BH, gmf_IF, hidden_IH, bias_I))
        loss: Tensor = _PairLoss.apply(item_MB, *halves, *layers)  # type: ignore[no-untyped-call]
        return loss


class _PairLoss(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, item_MB: Tensor, *inputs: Tensor) -> Tensor:
        gmf_BF, hidden_BH, gmf_IF, hidden_IH, bias_I, *layers = inputs
        item_BM, (M, B), H = item_MB.T.contiguous(), item_MB.shape, hidden_BH.shape[1]
        loss, grad_logit_BM = gmf_BF.new_zeros(()), torch.empty_like(item_BM, dtype=torch.float32)
        grad_hidden_BMH = hidden_BH.new_empty(B, M, H)
        grad_layers = [torch.zeros_like(layer) for layer in layers]
        block_size = max(1, PAIRS_PER_BLOCK[gmf_BF.device.type] // M)
        for start in range(0, B, block_size):
            users = slice(start, start + block_size)
            item_N = item_BM[users].view(-1)
            hidden_NH = hidden_IH.index_select(0, item_N)
            hidden_NH.view(-1, M, H).add_(hidden_BH[users, None])
            activations = forward_mlp(hidden_NH, layers)
            logit_N = bias_I.index_select(0, item_N).addmv_(activations[-1], layers[-1][0])
            gmf_UMF = gmf_IF.index_select(0, item_N).view(-1, M, gmf_IF.shape[1])
            logit_UM = logit_N.view(-1, M).add_(gmf_UMF.mul_(gmf_BF[users, None]).sum(2))
            loss += F.softplus(logit_UM).sum() - logit_UM[:, 0].sum()
            grad_logit_UM = torch.sigmoid(logit_UM, out=grad_logit_BM[users])
            grad_logit_UM[:, 0] -= 1
            grad_hidden_NH = grad_hidden_BMH[users].view(-1, H)
            backward_mlp(grad_logit_UM.view(-1), activations, layers, grad_layers, grad_hidden_NH)
        grad_hidden_NH = grad_hidden_BMH.view(-1, H)
        grad_users = sum_by_user(grad_logit_BM, grad_hidden_NH, item_BM, gmf_IF)
        grad_items = sum_by_item(grad_logit_BM, grad_hidden_NH, item_BM, gmf_BF, len(gmf_IF))
        ctx.save_for_backward(*grad_users, *grad_items, *grad_layers)
        ctx.num_pairs = B * M
        return loss / ctx.num_pairs

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        grad = grads[0] / ctx.num_pairs
        return None, *(saved.mul_(grad) for saved in ctx.saved_tensors)


def forward_mlp(hidden_NH: Tensor, layers: Sequence[Tensor]) -> list[Tensor]:
    """Return the activations of each layer; the first reuses `hidden_NH`."""
    activations = [hidden_NH.relu_()]
    for weight, bias in zip(layers[:-1:2], layers[1::2], strict=True):
        activations.append(torch.addmm(bias, activations[-1], weight.T).relu_())
    return activations


def backward_mlp(
    grad_logit_N: Tensor,
    activations: list[Tensor],
    layers: Sequence[Tensor],
    grad_layers: Sequence[Tensor],
    grad_hidden_NH: Tensor,
) -> None:
    """Add the layers' gradients to `grad_layers`, and fill in `grad_hidden_NH`."""
    grad_layers[-1][0].addmv_(activations[-1].T, grad_logit_N)
    outputs = [grad_hidden_NH, *(torch.empty_like(values) for values in activations[1:])]
    torch.mul(grad_logit_N[:, None], layers[-1][0], out=outputs[-1])
    for number in range(len(activations) - 1, 0, -1):
        grad = relu_backward(outputs[number], activations[number])
        weight = layers[2 * number - 2]
        grad_layers[2 * number - 2].addmm_(grad.T, activations[number - 1])
        grad_layers[2 * number - 1].add_(grad.sum(0))
        torch.mm(grad, weight, out=outputs[number - 1])
    relu_backward(grad_hidden_NH, activations[0])


def relu_backward(grad: Tensor, activation: Tensor) -> Tensor:
    """Set `grad` to 0, in place, where the activation is 0; one pass over both."""
    torch.ops.aten.threshold_backward.grad_input(grad, activation, 0, grad_input=grad)
    return grad


def sum_by_user(
    grad_logit_BM: Tensor, grad_hidden_NH: Tensor, item_BM: Tensor, gmf_IF: Tensor
) -> tuple[Tensor, Tensor]:
    pair_BM = torch.arange(item_BM.numel(), device=item_BM.device).view(-1, item_BM.shape[1])
    grad_gmf_BF = F.embedding_bag(item_BM, gmf_IF, mode="sum", per_sample_weights=grad_logit_BM)
    return grad_gmf_BF, F.embedding_bag(pair_BM, grad_hidden_NH, mode="sum")


def sum_by_item(
    grad_logit_BM: Tensor, grad_hidden_NH: Tensor, item_BM: Tensor, gmf_BF: Tensor, num_items: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the gradients of gmf_IF, hidden_IH and bias_I: sums over pairs.

    embedding_bag with the start of each item's pairs takes a quarter of the time of index_add_.
    """
    item_N, grad_logit_N = item_BM.view(-1), grad_logit_BM.view(-1)
    if item_N.device.type == "cpu":
        # Radix sort where rows fit 16 bits: .07 ms for 16,384 pairs, where torch takes .8.
        rows = item_N.numpy().astype(np.min_scalar_type(num_items))
        pair_N = torch.from_numpy(rows.argsort(kind="stable"))
    else:
        pair_N = item_N.argsort()
    count_I = torch.bincount(item_N, minlength=num_items)
    start_I = count_I.cumsum(0) - count_I
    user_N, weight_N = pair_N // item_BM.shape[1], grad_logit_N[pair_N]
    return (
        F.embedding_bag(user_N, gmf_BF, start_I, mode="sum", per_sample_weights=weight_N),
        F.embedding_bag(pair_N, grad_hidden_NH, start_I, mode="sum"),
        torch.bincount(item_N, grad_logit_N, num_items),
    )
