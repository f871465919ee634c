"""Marquee, a movie recommender; these classes are the library's interface.

    from marquee import Recommender

    recommender = Recommender.load("bundles/ml-1m")
    recommender.recommend([1193, (661, 5.0)], k=10)

They are imported on first use (PEP 562), so that `import marquee.core` does not load ONNX Runtime.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from marquee.recommender.errors import RequestError
    from marquee.recommender.query import RecommendQuery
    from marquee.recommender.recommender import Recommender

__all__ = ["RecommendQuery", "Recommender", "RequestError"]


def __getattr__(name: str) -> object:
    """Import an exported class on first use."""
    if name == "Recommender":
        from marquee.recommender.recommender import Recommender

        return Recommender
    if name == "RecommendQuery":
        from marquee.recommender.query import RecommendQuery

        return RecommendQuery
    if name == "RequestError":
        from marquee.recommender.errors import RequestError

        return RequestError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
