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
from typing import Any, cast
from urllib.parse import parse_qs, urlparse

import streamlit as st

from marquee_client import MarqueeError, Unavailable

Action = tuple[int, str, float | None]
"""movie_id, title, and the stars before the action (None: no rating)."""
log = logging.getLogger("marquee.app")

ADDRESS_KEYS = ("me", "name", "mix")
MAX_USER_ID_CHARS = 64
MAX_NAME_CHARS = 40


def begin() -> None:
    """Make address and session agree; call it once per run, before the page."""
    for key in ADDRESS_KEYS:
        if value := st.query_params.get(key):
            st.session_state[f"own_{key}"] = value
    if not is_user_id(_get("me")):
        st.session_state["own_me"] = new_user_id()
    for key, value in link().items():
        if st.query_params.get(key) != value:
            st.query_params[key] = value


def me() -> str:
    return _get("me")


def name() -> str:
    return _get("name")


def set_name(name: str) -> None:
    """Set a name, its spaces collapsed and its length limited."""
    _set("name", " ".join(name.split())[:MAX_NAME_CHARS])


def become(user_id: str = "", name: str = "") -> None:
    """Switch to another user, or to a new one; the mix is cleared."""
    for key in [key for key in st.session_state if not str(key).startswith("own_")]:
        del st.session_state[key]
    _set("me", user_id or new_user_id())
    set_name(name)
    set_mix({})


def mix() -> dict[str, float]:
    """Return the genre mix that the visitor set, genre -> weight; often empty."""
    weights = {}
    for part in _get("mix").split(","):
        genre, _, weight = part.rpartition(":")
        if genre and re.fullmatch(r"[0-9]{1,3}(\.[0-9]+)?", weight) and float(weight) > 0:
            weights[genre] = float(weight)
    return weights


def set_mix(weights: dict[str, float]) -> None:
    """Set a genre mix; weights of 0 are dropped."""
    _set("mix", ",".join(f"{genre}:{weight:g}" for genre, weight in weights.items() if weight > 0))


def link(**query: object) -> dict[str, str]:
    """Return the query of a link to another page, with this visitor's identity."""
    identity = {key: _get(key) for key in ADDRESS_KEYS if _get(key)}
    return identity | {key: str(value) for key, value in query.items()}


def actions() -> list[Action]:
    """Return the answers that can be undone, newest last."""
    return cast(list[Action], st.session_state.setdefault("undo", []))


def skipped_ids() -> set[int]:
    """Return the movies that the queue skips."""
    return cast(set[int], st.session_state.setdefault("skipped", set()))


def profile_of(text: str) -> tuple[str, str]:
    """Return (id, name) of a pasted text: an id, or the address of a user's page."""
    query = parse_qs(urlparse(text.strip()).query)
    if "me" in query:
        return query["me"][0], query.get("name", [""])[0]
    return text.strip(), ""


def is_user_id(text: str) -> bool:
    return 0 < len(text) <= MAX_USER_ID_CHARS and text.isprintable()


def new_user_id() -> str:
    return "anon-" + secrets.token_urlsafe(12)


def act(message: str, call: Callable[..., Any], *args: Any) -> bool:
    """Run a widget's action and return its success; `show_outcome` shows it later."""
    try:
        call(*args)
    except Unavailable as error:
        log.warning("not saved: %s", error)  # its address is nothing for visitors
        reason = f"the service did not answer ({error.code}). Try again in a moment."
    except MarqueeError as error:
        reason = f"{error}. Reload the page, and try again."
    else:
        notify(message)
        return True
    st.session_state["error_message"] = f"Not saved: {reason}"
    return False


def notify(message: str) -> None:
    st.session_state["message"] = message


def show_outcome() -> None:
    if error_message := st.session_state.pop("error_message", ""):
        st.error(error_message, icon=":material/error:")
    if message := st.session_state.pop("message", ""):
        st.toast(message, icon=":material/check:")


def _get(key: str) -> str:
    return str(st.session_state.get(f"own_{key}", ""))


def _set(key: str, text: str) -> None:
    st.session_state[f"own_{key}"] = text
    if text:
        st.query_params[key] = text
    elif key in st.query_params:
        del st.query_params[key]
