"""The visitor's identity, and the outcome of the last action.

A visitor needs no account. The first visit creates an id that cannot be guessed, and puts it into
the address (`?me=…`), so that a reload, a bookmark or another device belongs to the same user. The
service stores ratings under that id; a name and a genre mix stay in the address. The address is the
only key: anybody who has it acts as that user, and the pages say so.

The ids of guests are keys of other people: the address never holds them.
"""

import logging
import secrets
from collections.abc import Callable, Mapping
from typing import Any, cast

import streamlit as st

from app_pages import address, parameters
from marquee_client import MarqueeError, Unavailable
from marquee_client.types import MovieId

Action = tuple[MovieId, str, float | None]
"""movie_id, title, and the stars before the action (None: no rating)."""
log = logging.getLogger("marquee.app")

ADDRESS_KEYS = ("me", "name", "mix")


def begin(page: str) -> None:
    """Make address and session agree; call it once per run, before the page is drawn.

    An address with an id decides, so that Back and links change the session. One without takes the
    session's identity, or a new one.
    """
    address.follow(page)
    address_id = st.query_params.get("me", "")
    user_id = parameters.user_id(address_id)
    if address_id and not user_id:
        address.note("The address holds no id that can be used. This profile has another one.")
    if user_id or not me():
        _take_identity(user_id or new_user_id())
    # A parameter that comes several times is written once.
    if any(st.query_params.get_all(key) != [_get(key)] * bool(_get(key)) for key in ADDRESS_KEYS):
        _write_identity()


def _take_identity(user_id: str) -> None:
    """Take the user, with the name and the mix of the address."""
    if me() and user_id != me():
        _forget_session()
    text = st.query_params.get("mix", "")
    weights = parameters.mix(text)
    if text and len(weights) <= text.count(","):
        address.note("Parts of the genre mix in the address cannot be read. They are left out.")
    own_name = parameters.name(st.query_params.get("name", ""))
    _set_identity(user_id, own_name, weights)


def me() -> str:
    return _get("me")


def name() -> str:
    return _get("name")


def set_name(name: str) -> None:
    """Set a name, its spaces collapsed and its length limited."""
    _set_identity(me(), parameters.name(name), mix())
    _write_identity()


def become(user_id: str = "", name: str = "") -> None:
    """Switch to another user, or to a new one; the mix is cleared."""
    _forget_session()
    _set_identity(user_id or new_user_id(), parameters.name(name), {})
    _write_identity()


def mix() -> dict[str, float]:
    """Return the genre mix that the visitor set, genre -> weight; often empty."""
    return parameters.mix(_get("mix"))


def set_mix(weights: dict[str, float]) -> None:
    """Set a genre mix; weights of 0 are dropped."""
    _set_identity(me(), name(), weights)
    _write_identity()


def identity() -> dict[str, str]:
    """Return the parameters of every address; without them a link opens a new profile."""
    return {key: _get(key) for key in ADDRESS_KEYS if _get(key)}


def link_to(page: str) -> dict[str, Any]:
    """Return the query of a link to a page, with what the visitor last chose there.

    page: its path in an address; "" is the start page.
    """
    return identity() | address.remembered(page)


def actions() -> list[Action]:
    """Return the answers that can be undone, newest last."""
    return cast(list[Action], st.session_state.setdefault("undo", []))


def skipped_ids() -> set[MovieId]:
    """Return the movies that the queue skips."""
    return cast(set[MovieId], st.session_state.setdefault("skipped", set()))


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
        st.error(parameters.plain(error_message), icon=":material/error:")
    if message := st.session_state.pop("message", ""):
        st.toast(parameters.plain(message), icon=":material/check:")


def _get(key: str) -> str:
    return str(st.session_state.get(f"own_{key}", ""))


def _forget_session() -> None:
    """Forget the answers and widgets of another user."""
    for key in [key for key in st.session_state if not str(key).startswith("own_")]:
        del st.session_state[key]


def _set_identity(user_id: str, name: str, weights: Mapping[str, float]) -> None:
    values = (user_id, name, parameters.mix_text(weights))
    for key, text in zip(ADDRESS_KEYS, values, strict=True):
        st.session_state[f"own_{key}"] = text


def _write_identity() -> None:
    """Write all of it at once: each write is a step of Back."""
    address.write(**{key: _get(key) for key in ADDRESS_KEYS})
