"""The visitor's identity, and the outcome of the last action.

A visitor needs no account. The first visit creates an id that cannot be guessed, and puts it into
the address (`?me=…`), so that a reload, a bookmark or another device belongs to the same user. The
service stores ratings under that id; a name and a genre mix stay in the address. The address is the
only key: anybody who has it acts as that user, and the pages say so.
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

ADDRESS_KEYS = ("me", "name", "mix")
MAX_USER_ID_CHARS = 64
MAX_NAME_CHARS = 40


def begin() -> None:
    """Make address and session agree; call it once per run, before the page."""
    for key in ADDRESS_KEYS:
        if value := st.query_params.get(key):
            st.session_state[f"own_{key}"] = value
    if not is_user_id(st.session_state.get("own_me", "")):
        st.session_state["own_me"] = new_user_id()
    for key in ADDRESS_KEYS:
        value = st.session_state.get(f"own_{key}")
        if value and st.query_params.get(key) != value:
            st.query_params[key] = value


def me() -> str:
    """Return the id under which the service stores this user."""
    return str(st.session_state["own_me"])


def name() -> str:
    """Return the visitor's name; "" where none was entered."""
    return str(st.session_state.get("own_name", ""))


def set_name(name: str) -> None:
    """Keep a name, its spaces collapsed and its length limited."""
    _set("name", " ".join(name.split())[:MAX_NAME_CHARS])


def become(user_id: str) -> None:
    """Switch to another user, or to a new one (""); name and mix are cleared."""
    for key in [key for key in st.session_state if not str(key).startswith("own_")]:
        del st.session_state[key]
    _set("me", user_id or new_user_id())
    _set("name", "")
    _set("mix", "")


def mix() -> dict[str, float]:
    """Return the genre mix that the visitor set, genre -> weight.

    It is empty if none is set.
    """
    weights = {}
    for part in str(st.session_state.get("own_mix", "")).split(","):
        genre, _, weight = part.rpartition(":")
        if genre and re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", weight) and float(weight) > 0:
            weights[genre] = float(weight)
    return weights


def set_mix(weights: dict[str, float]) -> None:
    """Keep a genre mix; weights of 0 are dropped."""
    _set("mix", ",".join(f"{genre}:{weight:g}" for genre, weight in weights.items() if weight > 0))


def link(movie_id: int | None = None) -> dict[str, str]:
    """Return the query parameters of a link to another page.

    They hold this visitor's identity, and `movie` for the page of one movie.
    """
    values = {key: str(st.session_state.get(f"own_{key}", "")) for key in ADDRESS_KEYS}
    own_params = {key: value for key, value in values.items() if value}
    return own_params if movie_id is None else own_params | {"movie": str(movie_id)}


def profile_of(text: str) -> tuple[str, str]:
    """Return (id, name) of a pasted text: an id, or the address of a user's page."""
    query = parse_qs(urlparse(text.strip()).query)
    if "me" in query:
        return query["me"][0], query.get("name", [""])[0]
    return text.strip(), ""


def act(message: str, call: Callable[..., Any], *args: Any) -> bool:
    """Run a widget's action and return its success.

    `show_outcome` shows the outcome later.

    message: shown after success.
    """
    try:
        call(*args)
    except Unavailable as error:
        log.warning("not saved: %s", error)  # its address is nothing for visitors
        message = f"Not saved, as the service did not answer ({error.code})."
        st.session_state["error_message"] = message
    except MarqueeError as error:
        st.session_state["error_message"] = f"Not saved: {error}."
    else:
        notify(message)
        return True
    return False


def notify(message: str) -> None:
    """Keep a message for the next `show_outcome`."""
    st.session_state["message"] = message


def show_outcome() -> None:
    """Show the outcome of the last action."""
    if error_message := st.session_state.pop("error_message", ""):
        st.error(error_message, icon=":material/error:")
    if message := st.session_state.pop("message", ""):
        st.toast(message, icon=":material/check:")


def is_user_id(text: str) -> bool:
    """Return whether the service takes this text as a user_id."""
    return 0 < len(text) <= MAX_USER_ID_CHARS and text.isprintable()


def new_user_id() -> str:
    """Return an id that cannot be guessed."""
    return "anon-" + secrets.token_urlsafe(12)


def _set(key: str, text: str) -> None:
    st.session_state[f"own_{key}"] = text
    if text:
        st.query_params[key] = text
    elif key in st.query_params:
        del st.query_params[key]
