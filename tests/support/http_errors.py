"""Check the one shape of the service's errors."""

from typing import Any


def assert_shape(answer: Any, status: int, code: str) -> dict[str, Any]:
    error: dict[str, Any] = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code), answer.text
    assert answer.headers["content-type"] == "application/json"
    assert set(answer.json()) == {"error"} and set(error) <= {"code", "message", "fields"}
    assert error["message"] and "Traceback" not in answer.text
    assert all(set(field) == {"field", "message"} for field in error.get("fields", []))
    return error
