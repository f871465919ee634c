"""The Python client of the service: typed, sync and async, with retries and paging. Needs httpx.

    from marquee_client import Marquee

    with Marquee("http://127.0.0.1:3000", key="…") as marquee:
        marquee.rate("ana", 50, 5.0)
        for item in marquee.recommend(user_id="ana", k=3)["items"]:
            print(label(item), item["stars"]["expected"])

Answers are the service's JSON as it is, typed as dicts (shapes.py), so that what a newer service
adds can be read before this client knows of it. Defaults (k, offset, …) are the service's.
"""

from marquee_client.async_client import AsyncMarquee
from marquee_client.errors import MarqueeError, Unavailable, UnknownMovie
from marquee_client.retries import Retries
from marquee_client.sync_client import Marquee
from marquee_client.types import label

__all__ = [
    "AsyncMarquee",
    "Marquee",
    "MarqueeError",
    "Retries",
    "Unavailable",
    "UnknownMovie",
    "label",
]
