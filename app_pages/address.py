"""The address of a page: what a visitor chose is in it, and the page is drawn from it.

    st.slider("Variety", 0.0, 1.0, **address.bound("diversity", 0.0, parameters.share))

A reload, a bookmark, a link and Back set such a widget; a change of the widget is a step of Back.
Streamlit's `bind="query-params"` (1.67) does not serve for that: where a link leaves a page with a
bound parameter, it puts an address without that parameter between the two pages.
"""

from collections.abc import Callable, Sequence
from typing import Any, cast

import streamlit as st

Read = Callable[[str], Any]
"""Return the value of a text of the address, or None for a text that is none."""
Query = dict[str, list[str]]


def follow(page: str) -> None:
    """Let widgets follow the address where a link or Back changed it; once per run.

    page: its path in an address. A link to the same page leaves the browser's address as it was,
    so that it is sent again; an address that the browser shows already adds no step of Back.
    """
    last_page, last_query = st.session_state.get("own_address", (page, None))
    if last_query is not None and (last_page, last_query) != (page, query()):
        for key in _defaults():
            st.session_state.pop(key, None)
        _defaults().clear()
        if last_page == page:
            st.query_params.from_dict(query())
    st.session_state["own_address"] = (page, query())


def query() -> Query:
    """Return every parameter of the address."""
    return {key: st.query_params.get_all(key) for key in st.query_params}


def bound(key: str, default: Any, read: Read) -> dict[str, Any]:
    """Return the arguments of a widget whose value the parameter `key` holds.

    default: the value without that parameter; a list where it may come several times.
    """
    defaults = _defaults()
    is_untouched = key in defaults and st.session_state.get(key) == defaults[key]
    if key not in st.session_state or (is_untouched and defaults[key] != default):
        st.session_state[key] = _value(key, default, read)
    defaults[key] = default
    return {"key": key, "on_change": write}


def draft(key: str, value: Any) -> str:
    """Fill a field with the value that it edits, if that has changed; return its key."""
    if key not in st.session_state or st.session_state.get(f"{key}-of") != value:
        st.session_state[key] = st.session_state[f"{key}-of"] = value
    return key


def write(**parameters: str) -> None:
    """Write all bound widgets and these parameters into the address; "" drops one."""
    changed = query() | {key: [text] if text else [] for key, text in parameters.items()}
    for key, default in _defaults().items():
        if key in st.session_state:
            value = st.session_state[key]
            changed[key] = _texts(value) if value != default else []
    st.query_params.from_dict({key: texts for key, texts in changed.items() if texts})
    page, _ = st.session_state["own_address"]
    st.session_state["own_address"] = (page, query())


def remember(skipped: Sequence[str]) -> None:
    """Remember this page's parameters, without those skipped, for links back."""
    page, _ = st.session_state["own_address"]
    _remembered()[page] = {key: texts for key, texts in query().items() if key not in skipped}


def remembered(page: str) -> Query:
    """Return what the visitor last chose on another page.

    Nothing of this page: its widgets know better.
    """
    return {} if page == st.session_state["own_address"][0] else _remembered().get(page, {})


def check(key: str, is_usable: Callable[[str], object]) -> None:
    """Note a value in the address that is none."""
    if not all(map(is_usable, st.query_params.get_all(key))):
        note(f"The address holds a value of “{key}” that cannot be used. It is left out.")


def note(sentence: str) -> None:
    """Say something about the address at the top of the page, once."""
    notes = cast(list[str], st.session_state.setdefault("notes", []))
    if sentence not in notes:
        notes.append(sentence)


def show_notes() -> None:
    for sentence in cast(list[str], st.session_state.pop("notes", [])):
        st.info(sentence, icon=":material/link_off:")


def _value(key: str, default: Any, read: Read) -> Any:
    check(key, lambda text: read(text) is not None)
    values = [value for text in st.query_params.get_all(key) if (value := read(text)) is not None]
    if isinstance(default, list):
        return list(dict.fromkeys(values)) or list(default)
    return values[-1] if values else default


def _texts(value: Any) -> list[str]:
    if isinstance(value, bool):
        return [str(value).lower()]
    values = value if isinstance(value, list) else [value]
    return [f"{each:g}" if isinstance(each, float) else str(each) for each in values]


def _defaults() -> dict[str, Any]:
    """Return the default by key of the bound widgets of this page."""
    return cast(dict[str, Any], st.session_state.setdefault("bound", {}))


def _remembered() -> dict[str, Query]:
    return cast(dict[str, Query], st.session_state.setdefault("remembered", {}))
