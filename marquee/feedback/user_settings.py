"""The choices of users: lists by their history, or without it.

    settings = UserSettings(store.database)
    settings.set_personalized("ann", False)
    settings.personalized("ann")      # False; None for a user who never chose

`EventStore.delete_user` deletes the settings, too.
"""

from datetime import UTC, datetime

import sqlalchemy as sa

from marquee.core.times import unix_us
from marquee.feedback import sql
from marquee.feedback.database import Database
from marquee.feedback.event_schema import check_id

UPSERT = sa.text("""
    INSERT INTO user_settings (user_id, personalized, changed_us)
    VALUES (:user_id, :personalized, :changed_us)
    ON CONFLICT (user_id) DO UPDATE
    SET personalized = excluded.personalized, changed_us = excluded.changed_us
""")


class UserSettings:
    """The settings of users; processes may share them.

    While the database does not answer, every method raises StoreUnavailable.
    """

    def __init__(self, database: Database) -> None:
        """Use a database, which makes the table at its first contact."""
        self._database = database

    def personalized(self, user_id: int | str) -> bool | None:
        """Return whether lists use the user's history; None for a user who never chose."""
        with self._database.read() as connection:
            value = connection.execute(sql.SELECT_PERSONALIZED, {"user_id": str(user_id)}).scalar()
        return None if value is None else bool(value)

    def set_personalized(self, user_id: int | str, value: bool) -> None:
        """Store a user's choice; raise InputError for an id beyond the limits."""
        check_id("user_id", str(user_id))
        now_us = unix_us(datetime.now(UTC))
        row = {"user_id": str(user_id), "personalized": value, "changed_us": now_us}
        with self._database.begin() as connection:
            connection.execute(UPSERT, row)
