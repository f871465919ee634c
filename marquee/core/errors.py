"""The one error for what a user can put right: a wrong file, argument or request."""


class InputError(ValueError):
    """One sentence: found, needed, what to do next. Doors print it without a traceback."""
