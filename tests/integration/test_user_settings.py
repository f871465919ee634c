"""Test the settings of users: stored, read, erased with the user, on both databases."""

import pytest

from marquee.core.errors import InputError
from marquee.feedback.event_schema import Event
from marquee.feedback.store import EventStore
from marquee.feedback.user_settings import UserSettings
from tests.support.event_tables import connect

RATING = Event(event_id="e1", user_id="ann", movie_id=6, kind="rating", stars=4.0, at_us=1)


@pytest.fixture
def settings(event_store: EventStore) -> UserSettings:
    return UserSettings(event_store.database)


def test_personalized_is_what_was_set_last(settings: UserSettings) -> None:
    assert settings.personalized("ann") is None
    for value in (False, True, True, False):
        settings.set_personalized("ann", value)
        assert settings.personalized("ann") is value
    assert settings.personalized("bob") is None


def test_personalized_of_a_number_is_that_of_its_text(settings: UserSettings) -> None:
    settings.set_personalized(42, False)
    assert settings.personalized("42") is False is settings.personalized(42)


@pytest.mark.parametrize("user_id", ["\N{GRINNING FACE}" * 128, "a/'\"b", "مستخدم"])
def test_set_personalized_takes_any_user_id(settings: UserSettings, user_id: str) -> None:
    settings.set_personalized(user_id, False)
    assert settings.personalized(user_id) is False


@pytest.mark.parametrize("user_id", ["", "u" * 129, "a\0b", "\ud800"])
def test_set_personalized_of_a_bad_user_id_is_refused(settings: UserSettings, user_id: str) -> None:
    with pytest.raises(InputError, match="user_id"):
        settings.set_personalized(user_id, False)


def test_delete_user_deletes_the_settings(
    event_store: EventStore, settings: UserSettings, store_url: str
) -> None:
    event_store.add([RATING])
    settings.set_personalized("ann", False)
    settings.set_personalized("bob", False)
    assert event_store.delete_user("ann") == 2 and event_store.delete_user("ann") == 0
    assert settings.personalized("ann") is None and settings.personalized("bob") is False
    with connect(store_url) as connection:
        rows = connection.exec_driver_sql("SELECT user_id FROM user_settings").scalars().all()
    assert rows == ["bob"]
