"""Limits of ids, without numpy: the process that starts the workers imports them."""

MAX_ID_LENGTH = 128  # characters of a text id
MAX_INT64 = 2**63 - 1  # the largest integer id
