"""The scope that a request needs, by method and path."""


def needed_scope(method: str, path: str) -> str:
    """Return the scope of a request; "read" for all that stores nothing."""
    parts = path.strip("/").split("/")
    if path in ("/events", "/users/settings") or path.startswith("/events/"):
        return "events"
    if path == "/users/erase" or (parts[0] == "users" and method == "DELETE"):
        return "erase"
    if path == "/movies/delete" or (parts[0] == "movies" and method in {"PUT", "DELETE"}):
        return "catalog"
    if parts[0] in ("rules", "experiments"):
        return parts[0]
    return "read"
