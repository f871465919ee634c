"""The Python client of the service: typed, sync and async, with retries and paging. Needs httpx.

    from marquee_client import Marquee

    with Marquee("http://127.0.0.1:3000", key="…") as marquee:
        marquee.rate("ana", 50, 5.0)
        for item in marquee.recommend(user_id="ana", k=3)["items"]:
            print(label(item), item["stars"]["expected"])

Responses are the service's JSON as it is, typed as dicts (types.py), so that a key which a newer
service adds can be read at once. Defaults (k, offset, …) are the service's.
"""

from marquee_client.async_client import AsyncMarquee
from marquee_client.errors import MarqueeError, Unavailable, UnknownMovie
from marquee_client.labels import label
from marquee_client.retries import Retries
from marquee_client.sync_client import Marquee

__all__ = [
    "AsyncMarquee",
    "Marquee",
    "MarqueeError",
    "Retries",
    "Unavailable",
    "UnknownMovie",
    "label",
]
