"""deploy/restore.sh and the user data on a fake machine; the units checked by systemd."""

import base64
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from deploy import code
from tests.support.fake_ec2 import Machine, clone, missing_requirement, wheel
from tests.support.paths import ROOT

MISSING = missing_requirement()
needs_machine = pytest.mark.skipif(bool(MISSING), reason=MISSING)
PASSWORD = """pa"ss`$HOME\\'word"""
SETTINGS = {
    "BUCKET": "movies",
    "MODEL": "ml-1m",
    "API_KEYS": "key",
    "EVENTS_URL": f"postgresql://marquee:{PASSWORD}@db/marquee",
    "READY_S": "10",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine whose bucket holds code, as `release` leaves it."""
    root, machine = clone(tmp_path / "clone"), Machine(tmp_path / "machine")
    archive = code.archive(root)
    version = code.version_of(archive)
    lock = code.version_of((root / code.LOCK).read_bytes())
    for name, content in {
        f"code/{version}/marquee.tar.gz": archive,
        f"code/{version}/restore.sh": (root / "deploy/restore.sh").read_bytes(),
        f"code/wheels/{lock}.tar": wheel()[1],
        "code/restore.sh": (root / "deploy/restore.sh").read_bytes(),
        "code/current": version.encode(),
    }.items():
        (machine.bucket / name).parent.mkdir(parents=True, exist_ok=True)
        (machine.bucket / name).write_bytes(content)
    return machine


def user_data(**values: str) -> str:
    """Return the script of the launch template, with the values that CloudFormation puts in."""
    template = (ROOT / "deploy/template.yaml").read_text()
    start = template.index("Fn::Base64: !Sub |\n") + len("Fn::Base64: !Sub |\n")
    script = template[start : template.index("\n\n  Group:", start)]
    script = "\n".join(line[12:] for line in script.splitlines())
    for name, value in values.items():
        script = script.replace("${" + name.replace("_", "::") + "}", value)
    assert "${" not in script
    return script


def stack_user_data(version: str) -> str:
    return user_data(
        AWS_StackName="marquee",
        AWS_Region="us-east-1",
        Bucket="movies",
        Model="ml-1m",
        Code=version,
        Settings="/marquee",
        Logs="marquee-logs",
    )


def current_version(machine: Machine) -> str:
    return (machine.bucket / "code/current").read_text()


def service_environment(machine: Machine) -> dict[str, str]:
    """Return the environment in which the service ran."""
    return dict(json.loads((machine.root / "served.json").read_text())["environment"])


@pytest.mark.parametrize("script", ["restore", "user-data"])
def test_machine_scripts_pass_shellcheck(script: str, tmp_path: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("needs shellcheck")
    path = ROOT / "deploy/restore.sh"
    if script == "user-data":
        path = tmp_path / "user-data.sh"
        path.write_text(stack_user_data("0" * 16))
    result = subprocess.run(["shellcheck", path], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


@needs_machine
def test_stack_machine_installs_serves_and_signals(machine: Machine) -> None:
    version = current_version(machine)
    (machine.root / "parameters").write_text("/marquee/API_KEYS\tk1,k2\n/marquee/EVENTS_URL\tpg\n")
    (machine.root / "user-data").write_text(stack_user_data(version))
    result = machine.run("bash /user-data")
    assert result.returncode == 0, result.stderr
    lock = code.version_of(wheel()[0].encode())
    cp = "aws s3 cp --only-show-errors s3://movies/code"
    settings = ["API_KEYS", "EVENTS_URL", "RATE_LIMIT", "CORS_ORIGINS", "LOG_REQUESTS"]
    settings += ["WORKERS", "KEEP_ALIVE_S"]
    assert machine.calls() == [
        f"{cp}/{version}/restore.sh /run/marquee-restore.sh",
        "dnf install -y -q amazon-cloudwatch-agent",
        "aws ssm get-parameters --with-decryption --names "
        + " ".join(f"/marquee/{name}" for name in settings)
        + " --query Parameters[].[Name,Value] --output text",
        f"{cp}/{version}/marquee.tar.gz /opt/marquee/{version}/marquee.tar.gz",
        f"{cp}/wheels/{lock}.tar -",
        "amazon-cloudwatch-agent-ctl -a fetch-config -m ec2 -s -c file:/etc/marquee-logs.json",
        "systemctl daemon-reload",
        "systemctl enable --quiet marquee",
        "systemctl restart marquee",
        "cfn-signal -e 0 --stack marquee --resource Group --region us-east-1",
    ]
    environment = service_environment(machine)
    assert environment["BUNDLE"] == "s3://movies/models/ml-1m"
    assert environment["BUNDLE_CACHE"] == "/var/cache/marquee"
    assert (environment["API_KEYS"], environment["EVENTS_URL"]) == ("k1,k2", "pg")
    assert "k1,k2" not in result.stdout + result.stderr
    unit = machine.root / "etc/systemd/system/marquee.service"
    assert unit.read_text() == (ROOT / "deploy/marquee.service").read_text()
    logs = json.loads((machine.root / "etc/marquee-logs.json").read_text())
    files = logs["logs"]["logs_collected"]["files"]["collect_list"]
    assert {file["log_group_name"] for file in files} == {"marquee-logs"}


@needs_machine
def test_restore_script_serves_from_bucket_and_database(machine: Machine) -> None:
    """A second run downloads nothing again."""
    command = "aws s3 cp s3://movies/code/restore.sh - | bash"
    command = command.replace("s3 cp", "s3 cp --only-show-errors")
    result = machine.run(command, **SETTINGS)
    assert result.returncode == 0, result.stderr
    assert "ready after" in result.stdout and '"model_version": "46ce"' in result.stdout
    assert service_environment(machine)["EVENTS_URL"] == SETTINGS["EVENTS_URL"]
    env = machine.root / "etc/marquee.env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    calls = machine.calls()
    assert sum("marquee.tar.gz" in call for call in calls) == 1
    assert machine.run(command, **SETTINGS | {"API_KEYS": "new"}).returncode == 0
    calls = machine.calls()
    assert not [call for call in calls if "marquee.tar.gz" in call or "wheels" in call]
    assert "systemctl restart marquee" in calls
    assert service_environment(machine)["API_KEYS"] == "new"


@needs_machine
def test_damaged_code_is_refused_and_signalled(machine: Machine) -> None:
    version = current_version(machine)
    (machine.root / "parameters").write_text("/marquee/API_KEYS\tk\n/marquee/EVENTS_URL\tpg\n")
    (machine.root / "user-data").write_text(stack_user_data(version))
    with (machine.bucket / f"code/{version}/marquee.tar.gz").open("ab") as archive:
        archive.write(b"x")
    result = machine.run("bash /user-data")
    assert result.returncode == 1
    assert f"s3://movies/code/{version}/marquee.tar.gz is damaged" in result.stderr
    assert machine.calls()[-1].startswith("cfn-signal -e 1 ")
    assert not (machine.root / "opt/marquee/current").exists()


@needs_machine
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"MODEL": ""}, "MODEL is not set", id="no-model"),
        pytest.param({"EVENTS_URL": ""}, "EVENTS_URL is not given", id="no-database"),
    ],
)
def test_restore_script_names_missing_settings_first(
    machine: Machine, settings: dict[str, str], message: str
) -> None:
    result = machine.run("bash /bucket/code/restore.sh", **SETTINGS | settings)
    assert result.returncode == 1
    assert message in result.stderr
    assert not (machine.root / "opt/marquee").exists()


@needs_machine
def test_restore_script_fails_when_service_is_silent(machine: Machine) -> None:
    broken = SETTINGS | {"API_KEYS": "broken", "READY_S": "1"}
    result = machine.run("bash /bucket/code/restore.sh", **broken)
    assert result.returncode == 1
    assert "marquee: the bundle is damaged\nrestore: the service was not ready" in result.stderr
    silent = SETTINGS | {"API_KEYS": "no-recommendation"}
    result = machine.run("bash /bucket/code/restore.sh", **silent)
    assert result.returncode == 1
    assert "ready, but did not answer POST /recommend" in result.stderr


@needs_machine
def test_truncated_restore_script_does_nothing(machine: Machine) -> None:
    script = machine.bucket / "code/restore.sh"
    script.write_bytes(script.read_bytes()[: -len("main\n") - 2])
    machine.run("bash /bucket/code/restore.sh", **SETTINGS)
    assert machine.calls() == []


@needs_machine
def test_restore_script_installs_debian_packages(machine: Machine) -> None:
    (machine.root / "fakes/dnf").unlink()
    machine.command("fakes/apt-get", 'echo "apt-get $*" >>/calls')
    machine.command("fakes/python3.11", '[ "$2" = "import ensurepip" ] && exit 1; exit 3')
    machine.run("bash /bucket/code/restore.sh", **SETTINGS)
    calls = machine.calls()
    assert calls[:2] == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends python3.11-venv",
    ]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("name", ["marquee", "marquee-app"])
def test_systemd_unit_is_valid_and_confined(name: str) -> None:
    unit = str(ROOT / "deploy" / f"{name}.service")
    result = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True
    )
    findings = [line for line in result.stderr.splitlines() if "is not executable" not in line]
    assert findings == []  # bentoml is not installed there on this machine
    exposure = ["systemd-analyze", "security", "--offline=true", "--threshold=15", unit]
    assert subprocess.run(exposure, capture_output=True).returncode == 0


def test_app_unit_folder_outlives_service_releases() -> None:
    """restore.sh removes every folder of /opt/marquee but the version that runs."""
    unit = (ROOT / "deploy/marquee-app.service").read_text()
    root = re.search(r"^ROOT=(.*)$", (ROOT / "deploy/restore.sh").read_text(), re.M)
    assert root is not None and "WorkingDirectory=/opt/marquee-app\n" in unit
    assert f"{root[1]}/" not in unit and "\nUser=" not in unit  # no script makes such a user


def test_systemd_unit_allows_what_the_service_needs() -> None:
    """Without them ZeroMQ fails before the first line of the log."""
    unit = (ROOT / "deploy/marquee.service").read_text()
    (families,) = re.findall(r"^RestrictAddressFamilies=(.*)$", unit, re.M)
    assert set(families.split()) == {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}


def test_user_data_fits_the_limit() -> None:
    assert len(base64.b64encode(stack_user_data("0" * 16).encode())) < 16_384
