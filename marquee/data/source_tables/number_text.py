"""Numbers as spreadsheets, people and programs write them, as SQL.

    4,5 is 4.5    1.234,5 and 1,234.5 are 1234.5    $1,500,000    95% is 0.95
    1:02:03, PT1H2M3S, 1 h 2 min 3 s and 0 days 01:02:03 are 3723 seconds

1,234 may be a thousand or not: it stays no number.
"""

from marquee.data.source_tables.sql import NONE_WORDS, literal

BAD = "'nan'::FLOAT"
"""Of a text that is no number."""
GROUP = "[ .'\u00a0\u202f]"
COMMA = (
    f"[+-]?([0-9]+,([0-9]{{1,2}}|[0-9]{{4,}})|0,[0-9]+|[0-9]{{1,3}}({GROUP}[0-9]{{3}})+,[0-9]+"
    f"|[0-9]{{1,3}}({GROUP}[0-9]{{3}}){{2,}})"
)
POINT = r"[+-]?[0-9]{1,3}((,[0-9]{3})+\.[0-9]+|(,[0-9]{3}){2,})"
CLOCK = r"([0-9]+ days?,? \+?)?([0-9]+:)?[0-9]{1,3}:[0-9]{2}(\.[0-9]+)?"
WORDS = "([0-9.]+ ?(d|days?|h|hrs?|hours?|m|mins?|minutes?|s|secs?|seconds?),? ?)+"
ISO = r"P[0-9]*D?T?([0-9.]+[HMS])+"
NONE = ", ".join(map(literal, sorted(NONE_WORDS | {"NA", "-"})))


def number_sql(value: str, type_name: str) -> str:
    """Return SQL of a FLOAT: NULL where nothing is given, NaN where it is no number."""
    if type_name == "BOOLEAN":
        return f"{value}::INTEGER::FLOAT"
    if type_name in ("TIME", "INTERVAL"):
        return f"epoch({value})::FLOAT"
    number = f"TRY_CAST({value} AS FLOAT)"
    if type_name != "VARCHAR":
        return f"CASE WHEN {value} IS NULL THEN NULL ELSE coalesce({number}, {BAD}) END"
    text = f"trim({value})"
    percent = f"regexp_extract({text}, '(.*[0-9]) ?%', 1)"
    forms = f"coalesce({_plain(text)}, {_plain(percent)} / 100, {_seconds(text)})"
    return (
        f"coalesce({number}, CASE WHEN {value} IS NULL OR {text} IN ({NONE}) "
        f"THEN NULL ELSE coalesce(TRY_CAST({forms} AS FLOAT), {BAD}) END)"
    )


def _plain(text: str) -> str:
    digits = f"regexp_replace({text}, '^([+-]?)[$€£¥] ?', '\\1')"
    comma = f"replace(regexp_replace({digits}, {literal(GROUP)}, '', 'g'), ',', '.')"
    return (
        f"TRY_CAST(CASE WHEN regexp_full_match({digits}, {literal(COMMA)}) THEN {comma} "
        f"WHEN regexp_full_match({digits}, '{POINT}') THEN replace({digits}, ',', '') "
        f"ELSE {digits} END AS DOUBLE)"
    )


def _seconds(text: str) -> str:
    """Return SQL of the seconds of a duration; 10:30 is 10 minutes and 30 seconds."""
    clock = f"regexp_replace(replace({text}, ',', ''), '^([0-9]+):([0-9.]+)$', '\\1 min \\2 s')"
    iso = f"regexp_replace(regexp_replace({text}, '[PT]', '', 'g'), '([DHMS])', '\\1 ', 'g')"
    return (
        f"epoch(TRY_CAST(CASE WHEN regexp_full_match({text}, '{CLOCK}|{WORDS}') THEN {clock} "
        f"WHEN regexp_full_match({text}, '{ISO}') THEN {iso} END AS INTERVAL))"
    )
