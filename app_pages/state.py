"""Who is looking, and what happened since the last look.

A visitor needs no account: an id that nobody can guess is made at the first look and stands in the
address (`?me=…`), so a reload, a bookmark or another device has the same person. Ratings live in
the service under that id; a name and a genre mix stand beside it in the address. Whoever has the
address is the person: the pages say so.
"""

import logging
import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlparse

import streamlit as st

from marquee_client import MarqueeError, Unavailable

log = logging.getLogger("marquee.app")

KEPT = ("me", "name", "mix")
MAX_ID = 64
MAX_NAME = 40


def begin() -> None:
    """Once a run, before the page: the address and the session say the same."""
    for key in KEPT:
        if given := st.query_params.get(key):
            st.session_state[f"own_{key}"] = given
    if not _usable(st.session_state.get("own_me", "")):
        st.session_state["own_me"] = "anon-" + secrets.token_urlsafe(12)
    for key in KEPT:
        said = st.session_state.get(f"own_{key}")
        if said and st.query_params.get(key) != said:
            st.query_params[key] = said


def me() -> str:
    """The id under which the service keeps this person."""
    return str(st.session_state["own_me"])


def name() -> str:
    return str(st.session_state.get("own_name", ""))


def call_me(name: str) -> None:
    _set("name", " ".join(name.split())[:MAX_NAME])


def become(user_id: str) -> None:
    """Go on as somebody else, or with a new id (""): name and mix are not theirs."""
    for key in [key for key in st.session_state if not str(key).startswith("own_")]:
        del st.session_state[key]
    _set("me", user_id or "anon-" + secrets.token_urlsafe(12))
    _set("name", "")
    _set("mix", "")


def mix() -> dict[str, float]:
    """The genre mix that the person set, genre -> weight; empty where none is set."""
    found = {}
    for part in str(st.session_state.get("own_mix", "")).split(","):
        genre, _, weight = part.rpartition(":")
        if genre and re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", weight) and float(weight) > 0:
            found[genre] = float(weight)
    return found


def set_mix(weights: dict[str, float]) -> None:
    _set("mix", ",".join(f"{genre}:{weight:g}" for genre, weight in weights.items() if weight > 0))


def link(**more: object) -> dict[str, str]:
    """Query parameters of a link to another page: this person, and what the page is about."""
    kept = {key: str(st.session_state.get(f"own_{key}", "")) for key in KEPT}
    return {key: text for key, text in kept.items() if text} | {k: str(v) for k, v in more.items()}


def profile_of(text: str) -> tuple[str, str]:
    """(id, name) of what somebody pasted: an id, or the address of their page."""
    asked = parse_qs(urlparse(text.strip()).query)
    if "me" in asked:
        return asked["me"][0], asked.get("name", [""])[0]
    return text.strip(), ""


def act(said: str, call: Callable[..., Any], *args: Any) -> bool:
    """Do what a widget asks for; what came of it is told by `tell`, at the top of the page."""
    try:
        call(*args)
    except Unavailable as error:
        log.warning("not saved: %s", error)  # its address is nothing for visitors
        st.session_state["trouble"] = f"Not saved, as the service did not answer ({error.code})."
    except MarqueeError as error:
        st.session_state["trouble"] = f"Not saved: {error}."
    else:
        st.session_state["said"] = said
        return True
    return False


def tell() -> None:
    """What the last action came to."""
    if trouble := st.session_state.pop("trouble", ""):
        st.error(trouble, icon=":material/error:")
    if said := st.session_state.pop("said", ""):
        st.toast(said, icon=":material/check:")


def _set(key: str, text: str) -> None:
    st.session_state[f"own_{key}"] = text
    if text:
        st.query_params[key] = text
    elif key in st.query_params:
        del st.query_params[key]


def _usable(user_id: str) -> bool:
    return 0 < len(user_id) <= MAX_ID and user_id.isprintable()
