"""Test the memory that the workers of one service share."""

from marquee.api.process.shared_state import MAX_WORKERS, SharedState, share_with_workers


def test_shared_state_version_changes_in_every_worker() -> None:
    variable = share_with_workers()
    first, second = SharedState.inherited(variable), SharedState.inherited(variable)
    before = second.version("anna"), second.version("ben")
    first.renew_versions(["anna"])
    assert second.version("anna") == first.version("anna") != before[0]
    assert second.version("ben") == before[1]


def test_shared_state_without_a_supervisor_is_private() -> None:
    first, second = SharedState.inherited({}), SharedState.inherited({})
    first.renew_versions(["anna"])
    assert first.version("anna") != second.version("anna")


def test_shared_state_any_text_has_a_version() -> None:
    assert [SharedState().version(user_id) for user_id in ("", "é\x00/", "\ud800")] == [0, 0, 0]


def test_shared_state_fewer_connections_are_of_a_worker() -> None:
    state = SharedState()
    state.set_connections(1, 3)
    assert not state.has_fewer_connections(1), "no other worker accepts"
    state.set_connections(2, 0)
    assert state.has_fewer_connections(1) and not state.has_fewer_connections(2)
    state.set_connections(2, None)
    assert not state.has_fewer_connections(1)


def test_shared_state_ready_is_of_this_process() -> None:
    """A worker that takes a dead one's number is not ready because that one was."""
    state = SharedState()
    state.mark_ready(2 * MAX_WORKERS, 41)
    assert state.is_ready(2 * MAX_WORKERS, 41) and not state.is_ready(2 * MAX_WORKERS, 42)
