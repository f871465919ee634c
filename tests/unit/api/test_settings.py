"""Test the settings of the service, from the environment."""

from pathlib import Path

import pytest

from marquee.api.settings import Settings, absolute_paths, read_cors_origins
from marquee.core.errors import InputError


def test_settings_have_defaults() -> None:
    settings = Settings.from_environment({"BUNDLE": "bundles/demo"})
    assert settings == Settings(
        bundle="bundles/demo",
        bundle_poll_s=2.0,
        bundle_cache="runs/releases",
        events_url="sqlite:///events.sqlite",
        api_keys=(),
        rate_limit=None,
        log_requests="errors",
    )


def test_settings_are_read() -> None:
    settings = Settings.from_environment(
        {
            "BUNDLE": "s3://movies/models",
            "BUNDLE_POLL_S": "0.5",
            "BUNDLE_CACHE": "/cache",
            "EVENTS_URL": "postgresql://db/events",
            "API_KEYS": " a, ,b ",
            "RATE_LIMIT": "100",
            "LOG_REQUESTS": "all",
        }
    )
    assert (settings.bundle_poll_s, settings.rate_limit) == (0.5, 100.0)
    assert settings.api_keys == ("a", "b")


def test_settings_empty_variable_is_its_default() -> None:
    settings = Settings.from_environment({"BUNDLE": "x", "RATE_LIMIT": "", "LOG_REQUESTS": ""})
    assert settings.rate_limit is None and settings.log_requests == "errors"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUNDLE", ""),
        ("LOG_REQUESTS", "some"),
        ("BUNDLE_POLL_S", "0"),
        ("BUNDLE_POLL_S", "soon"),
        ("RATE_LIMIT", "-1"),
        ("RATE_LIMIT", "inf"),
        ("RATE_LIMIT", "nan"),
    ],
)
def test_settings_invalid_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"^{name} is .*expected"):
        Settings.from_environment({"BUNDLE": "x", name: value})


def test_cors_origins_are_read_before_the_other_settings() -> None:
    origins = read_cors_origins({"CORS_ORIGINS": "https://a.example, https://b.example"})
    assert origins == ("https://a.example", "https://b.example")
    assert read_cors_origins({}) == ()


def test_absolute_paths_of_relative_settings() -> None:
    paths = absolute_paths({"BUNDLE": "b", "BUNDLE_CACHE": "c", "EVENTS_URL": "sqlite:///e.sqlite"})
    here = Path.cwd()
    assert paths == {
        "BUNDLE": str(here / "b"),
        "BUNDLE_CACHE": str(here / "c"),
        "EVENTS_URL": f"sqlite:///{here / 'e.sqlite'}",
    }


def test_absolute_paths_leave_addresses_alone() -> None:
    paths = absolute_paths({"BUNDLE": "s3://b/p", "EVENTS_URL": "postgresql://db/events"})
    assert set(paths) == {"BUNDLE_CACHE"}
