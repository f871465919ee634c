"""Features of users, by the rows of the interactions' users."""

import duckdb
import numpy as np

from marquee.core.ids import as_ids
from marquee.data.attributes.user_tables import UserTables, read_users
from marquee.data.spec import DatasetSpec
from tests.support.source_rows import source_of

SPEC = DatasetSpec(
    interactions=("plays.csv",),
    user="account",
    item="id",
    users=("accounts.csv",),
    user_features=("plan=plan:category", "age=age:number"),
)


def read(rows: list[tuple[str, ...]], ids: list[str]) -> UserTables:
    with duckdb.connect() as connection:
        source = source_of(connection, "account, plan, age", rows, name="accounts.csv")
        return read_users(connection, SPEC, source, as_ids(ids))


def test_read_users_without_file_has_no_features() -> None:
    with duckdb.connect() as connection:
        assert read_users(connection, SPEC, None, as_ids([1, 2])).features == ()


def test_read_users_features_follow_the_users() -> None:
    rows = [("b", "gold", "30"), ("x", "free", "1"), ("a", "none", "old")]
    users = read(rows, ["a", "b", "c"])
    plan, age = users.features
    assert (plan.name, plan.values.tolist()) == ("plan", [None, "gold", None])
    np.testing.assert_array_equal(age.values, np.array([np.nan, 30, np.nan], np.float32))
    assert users.notes == (
        "users with interactions that the users file lacks: 1 of 3 ('c')",
        "users without interactions in the users file: 1, ignored",
        "age: values taken as unknown: 1 ('old'), expected a number",
    )


def test_read_users_rows_of_one_id_are_folded_or_rejected() -> None:
    rows = [("a", "gold", "30"), ("a", "gold", "30"), ("a", "free", "30"), ("", "gold", "1")]
    users = read(rows, ["a"])
    assert [reject.line for reject in users.rejects] == [3, 4]
    assert "plan 'free', expected 'gold' as before; line 1" in users.rejects[0].reason
    assert users.notes == ("rows that repeat an earlier user: 1, folded away",)
