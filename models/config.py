"""The settings of a recipe that shape the models: network, learning and rating model."""

from dataclasses import dataclass, field
from typing import Literal

from marquee.core.errors import InputError

Feature = Literal["genres", "period", "text", "data"]


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """The shape of the network."""

    user: Literal["history", "id"] = "history"
    """`history` encodes the watched items in order; `id` looks the user up in a table and so can
    serve only users it was trained on."""
    embedding_dim: int = 64
    """Width of user and item vectors. Twice the width: about twice the time of an epoch."""
    history_length: int = 200
    """Latest entries the encoder reads; older ones only exclude an item from the list."""
    num_layers: int = 2
    """Self-attention layers; one sees pairs of entries, two see pairs in context."""
    num_heads: int = 2
    """Attention heads; must divide embedding_dim."""
    conv_width: int = 3
    """Entries mixed before attention, the entry itself included; 1 is attention alone."""
    dropout: float = 0.2
    """Share of activations dropped in training; small data wants more."""
    hidden_dims: list[int] = field(default_factory=lambda: [16])
    """Widths of the MLP branch; the exported kind has one hidden layer."""
    gmf: bool = True
    """The product branch of the head; without it the MLP alone decides."""
    features: list[Feature] = field(default_factory=lambda: ["genres", "period", "text", "data"])
    """Attributes that join the item's own embedding, `data` for all features that the data set
    brings; none is the paper's NeuMF."""
    user_features: bool = False
    """Read the features of users that the data set brings. Requests that name them as `viewer` then
    get other lists; those that do not are answered as for an unknown user."""
    id_dropout: float = 0.0
    """Share of items that a training step shows without their own embedding; their attributes must
    then carry an item that nobody has rated."""

    def __post_init__(self) -> None:
        for name in ("embedding_dim", "history_length", "num_layers", "num_heads", "conv_width"):
            if getattr(self, name) < 1:
                raise InputError(f"network.{name} {getattr(self, name)}: expected 1 or more")
        if self.embedding_dim % (2 * self.num_heads):
            raise InputError(
                f"network.embedding_dim {self.embedding_dim}: expected a multiple of "
                f"2 x network.num_heads ({self.num_heads})"
            )
        if not self.hidden_dims or min(self.hidden_dims) < 1:
            raise InputError(f"network.hidden_dims {self.hidden_dims}: expected one width >= 1")
        for name in ("dropout", "id_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise InputError(f"network.{name} {getattr(self, name)}: expected 0 <= share < 1")
        if self.id_dropout and not self.features:
            raise InputError(
                f"network.id_dropout {self.id_dropout} with network.features []: an item without "
                "its embedding has no vector, expected features; set some, or id_dropout 0"
            )
        if self.user_features and self.user == "id":
            raise InputError(
                "network.user_features true with network.user id: a row of the table knows its "
                "user, expected user history; set user_features false"
            )


@dataclass(frozen=True, kw_only=True)
class LearningConfig:
    """The optimizer, the loss and its negatives."""

    lr: float = 2e-3
    """Peak learning rate of AdamW, after `warmup_steps`; then it falls linearly to 0."""
    weight_decay: float = 0.01
    """Decoupled decay; too much on embeddings underfits."""
    warmup_steps: int = 100
    """Steps in which the rate rises; without them the first attention patterns are noise."""
    loss: Literal["softmax", "binary"] = "softmax"
    """`softmax` picks the next item among the candidates; `binary` classifies each candidate."""
    num_negatives: int = 0
    """Drawn items a batch, shared by all its positions, beside the batch's own targets; 0 takes the
    whole catalog (full softmax), best where that is some thousands of items."""
    sampler: Literal["uniform", "popularity"] = "uniform"
    """Probability of a negative: the same for all items, or by the number of training ratings,
    which makes negatives harder and teaches less about rare items."""
    mlp_share: float = 0.05
    """Share of positions at which the MLP joins the logit. The cost of a step grows with it."""
    reject_positives: bool = True
    """Exclude a user's own training items from the negatives at their positions."""
    influence_cap: int = 0
    """Positions that a user counts for at most. With 200, a user with 2,000 ratings moves the
    network as much as one with 200, each of their positions a tenth; 0 is no cap."""

    def __post_init__(self) -> None:
        if not 0 <= self.mlp_share <= 1:
            raise InputError(f"learning.mlp_share {self.mlp_share}: expected 0 <= share <= 1")
        if self.sampler == "popularity" and not self.num_negatives:
            raise InputError(
                "learning.sampler popularity with learning.num_negatives 0: the whole catalog is "
                "used and nothing drawn, expected a number of negatives; set it, e.g. to 512"
            )
        if not 0 < self.lr <= 1:
            raise InputError(f"learning.lr {self.lr}: expected 0 < lr <= 1")
        for name in ("weight_decay", "warmup_steps", "num_negatives", "influence_cap"):
            if getattr(self, name) < 0:
                raise InputError(f"learning.{name} {getattr(self, name)}: expected 0 or more")


@dataclass(frozen=True, kw_only=True)
class RatingModelConfig:
    """The size of the rating model and of its chain (`stars` in a recipe)."""

    embedding_dim: int = 20
    """Dimensions of taste. Twice as many: four times the time of a sweep and of a request."""
    num_draws: int = 16
    """Draws in the bundle. Half of 32 lose .0004 of RMSE on ml-1m and answer in two thirds of the
    time; 8 lose .005 on ml-100k, 64 gain .001."""
    every: int = 6
    """Sweeps from one stored draw to the next: neighbors are nearly the same."""
    burn_in: int = 30
    """Sweeps before the first stored draw."""
    implicit_dim: int = 100
    """Numbers for the set of items a user rated, and for the set of users who rated an item,
    whatever the ratings."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            minimum = 0 if name == "implicit_dim" else 1
            if value < minimum:
                raise InputError(f"stars.{name} {value}: expected {minimum} or more")
