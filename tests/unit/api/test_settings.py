"""Test the settings of the service, from the environment."""

from pathlib import Path

import pytest

from marquee.api.access.keys import digest
from marquee.api.settings import Settings, absolute_paths
from marquee.core.errors import InputError


def test_settings_have_defaults() -> None:
    settings = Settings.from_environment({"BUNDLE": "bundles/demo"})
    assert settings == Settings(
        bundle="bundles/demo",
        bundle_poll_s=2.0,
        bundle_cache="runs/releases",
        events_url="sqlite:///events.sqlite",
        api_keys={},
        api_keys_file=None,
        trusted_proxies=(),
        cors_origins=(),
        viewer_required=(),
        rate_limit=None,
        workers=1,
        keep_alive_s=75.0,
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
            "TRUSTED_PROXIES": "10.0.0.7, 10.1.0.0/16,::1",
            "CORS_ORIGINS": "https://a.example, HTTPS://B.example:443,http://[::1]:8080",
            "RATE_LIMIT": "100",
            "LOG_REQUESTS": "all",
        }
    )
    assert (settings.bundle_poll_s, settings.rate_limit) == (0.5, 100.0)
    assert list(settings.api_keys) == [digest("a"), digest("b")]
    networks = [str(network) for network in settings.trusted_proxies]
    assert networks == ["10.0.0.7/32", "10.1.0.0/16", "::1/128"]
    # As browsers send them.
    assert settings.cors_origins == ("https://a.example", "https://b.example", "http://[::1]:8080")


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
        ("BUNDLE", "http://a.example/b"),
        ("BUNDLE", "file:///b"),
        ("RATE_LIMIT", "-1"),
        ("RATE_LIMIT", "inf"),
        ("RATE_LIMIT", "nan"),
        ("API_KEYS", ""),
        ("API_KEYS", " , ,"),
        ("API_KEYS", "a b"),
        ("API_KEYS", "a,b\nc"),
        ("API_KEYS", "é"),
        ("TRUSTED_PROXIES", "nginx"),
        ("TRUSTED_PROXIES", "10.0.0.7/16"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TRUSTED_PROXIES", "*"),
        ("CORS_ORIGINS", "https://a.example/"),
        ("CORS_ORIGINS", "https://a.example/app"),
        ("CORS_ORIGINS", "a.example"),
        ("CORS_ORIGINS", "https://*.example"),
        ("CORS_ORIGINS", "https://a.example:port"),
        ("CORS_ORIGINS", "https://a.example:65536"),
        ("CORS_ORIGINS", "https://a@b.example"),
        ("CORS_ORIGINS", "https://bücher.example"),
        ("CORS_ORIGINS", "null"),
        ("CORS_ORIGINS", "*"),
        ("CORS_ORIGINS", "*,https://a.example"),
        ("WORKERS", "0"),
        ("WORKERS", "two"),
        ("WORKERS", "1.5"),
        ("WORKERS", "-1"),
        ("WORKERS", "1000"),
        ("WORKERS", "²"),
        ("KEEP_ALIVE_S", "0"),
    ],
)
def test_settings_invalid_value_names_its_variable(name: str, value: str) -> None:
    with pytest.raises(InputError, match=f"^{name} is .*expected"):
        Settings.from_environment({"BUNDLE": "x", name: value})


def test_cors_origin_with_a_path_names_the_remedy() -> None:
    with pytest.raises(InputError, match=r"leave out what follows https://a\.example$"):
        Settings.from_environment({"BUNDLE": "x", "CORS_ORIGINS": "https://a.example/app"})


def test_cors_origin_any_needs_keys() -> None:
    settings = Settings.from_environment({"BUNDLE": "x", "CORS_ORIGINS": "*", "API_KEYS": "a"})
    assert settings.cors_origins == ("*",)


def test_settings_refused_key_is_not_quoted() -> None:
    with pytest.raises(InputError) as caught:
        Settings.from_environment({"BUNDLE": "x", "API_KEYS": "secret one"})
    assert "secret" not in str(caught.value)


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
    assert "EVENTS_URL" not in absolute_paths({"EVENTS_URL": "sqlite:///:memory:"})
