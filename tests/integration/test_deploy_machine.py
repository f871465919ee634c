"""deploy/restore.sh and the user data, executed; the unit, read by systemd."""

import base64
import json
import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest

from deploy import code
from tests.support.fake_ec2 import Machine, clone, possible, wheel
from tests.support.paths import ROOT

NO_MACHINE = possible()
needs_machine = pytest.mark.skipif(bool(NO_MACHINE), reason=NO_MACHINE)
PASSWORD = """pa"ss`$HOME\\'word"""
GIVEN = {
    "BUCKET": "movies",
    "MODEL": "ml-1m",
    "API_KEYS": "key",
    "EVENTS_URL": f"postgresql://marquee:{PASSWORD}@db/marquee",
    "READY_S": "10",
}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """Its bucket holds code, as `release` leaves it."""
    root, made = clone(tmp_path / "clone"), Machine(tmp_path / "machine")
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
        (made.bucket / name).parent.mkdir(parents=True, exist_ok=True)
        (made.bucket / name).write_bytes(content)
    return made


def user_data(**values: str) -> str:
    """The script of the launch template, with what CloudFormation puts in."""
    template = (ROOT / "deploy/template.yaml").read_text()
    start = template.index("Fn::Base64: !Sub |\n") + len("Fn::Base64: !Sub |\n")
    script = template[start : template.index("\n\n  Group:", start)]
    script = "\n".join(line[12:] for line in script.splitlines())
    for name, value in values.items():
        script = script.replace("${" + name.replace("_", "::") + "}", value)
    assert "${" not in script
    return script


def of_the_stack(version: str) -> str:
    return user_data(
        AWS_StackName="marquee",
        AWS_Region="us-east-1",
        Bucket="movies",
        Model="ml-1m",
        Code=version,
        Settings="/marquee",
        Logs="marquee-logs",
    )


def version_in(machine: Machine) -> str:
    return (machine.bucket / "code/current").read_text()


def served(machine: Machine) -> dict[str, str]:
    """The environment in which the service ran."""
    return dict(json.loads((machine.root / "served.json").read_text())["environment"])


@pytest.mark.parametrize("script", ["restore", "user-data"])
def test_scripts_have_no_fault_that_shellcheck_knows(script: str, tmp_path: Path) -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("needs shellcheck")
    checked = ROOT / "deploy/restore.sh"
    if script == "user-data":
        checked = tmp_path / "user-data.sh"
        checked.write_text(of_the_stack("0" * 16))
    done = subprocess.run(["shellcheck", checked], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@needs_machine
def test_a_machine_of_the_stack_installs_serves_and_signals(machine: Machine) -> None:
    version = version_in(machine)
    (machine.root / "parameters").write_text("/marquee/API_KEYS\tk1,k2\n/marquee/EVENTS_URL\tpg\n")
    (machine.root / "user-data").write_text(of_the_stack(version))
    done = machine.run("bash /user-data")
    assert done.returncode == 0, done.stderr
    lock = code.version_of(wheel()[0].encode())
    cp = "aws s3 cp --only-show-errors s3://movies/code"
    settings = ["API_KEYS", "EVENTS_URL", "RATE_LIMIT", "CORS_ORIGINS", "LOG_REQUESTS"]
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
    environment = served(machine)
    assert environment["BUNDLE"] == "s3://movies/models/ml-1m"
    assert environment["BUNDLE_CACHE"] == "/var/cache/marquee"
    assert (environment["API_KEYS"], environment["EVENTS_URL"]) == ("k1,k2", "pg")
    assert "k1,k2" not in done.stdout + done.stderr
    unit = machine.root / "etc/systemd/system/marquee.service"
    assert unit.read_text() == (ROOT / "deploy/marquee.service").read_text()
    logs = json.loads((machine.root / "etc/marquee-logs.json").read_text())
    files = logs["logs"]["logs_collected"]["files"]["collect_list"]
    assert {file["log_group_name"] for file in files} == {"marquee-logs"}


@needs_machine
def test_one_command_restores_the_service_from_bucket_and_database(machine: Machine) -> None:
    """And once more: what is there is kept."""
    command = "aws s3 cp s3://movies/code/restore.sh - | bash"
    command = command.replace("s3 cp", "s3 cp --only-show-errors")
    done = machine.run(command, **GIVEN)
    assert done.returncode == 0, done.stderr
    assert "ready after" in done.stdout and '"model_version": "46ce"' in done.stdout
    assert served(machine)["EVENTS_URL"] == GIVEN["EVENTS_URL"]
    env = machine.root / "etc/marquee.env"
    assert stat.S_IMODE(env.stat().st_mode) == 0o600
    first = machine.calls()
    assert sum("marquee.tar.gz" in call for call in first) == 1
    assert machine.run(command, **GIVEN | {"API_KEYS": "new"}).returncode == 0
    again = machine.calls()
    assert not [call for call in again if "marquee.tar.gz" in call or "wheels" in call]
    assert "systemctl restart marquee" in again
    assert served(machine)["API_KEYS"] == "new"


@needs_machine
def test_code_that_was_damaged_is_refused_and_signalled(machine: Machine) -> None:
    version = version_in(machine)
    (machine.root / "parameters").write_text("/marquee/API_KEYS\tk\n/marquee/EVENTS_URL\tpg\n")
    (machine.root / "user-data").write_text(of_the_stack(version))
    with (machine.bucket / f"code/{version}/marquee.tar.gz").open("ab") as archive:
        archive.write(b"x")
    done = machine.run("bash /user-data")
    assert done.returncode == 1
    assert f"s3://movies/code/{version}/marquee.tar.gz is damaged" in done.stderr
    assert machine.calls()[-1].startswith("cfn-signal -e 1 ")
    assert not (machine.root / "opt/marquee/current").exists()


@needs_machine
@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"MODEL": ""}, "MODEL is not set", id="no-model"),
        pytest.param({"EVENTS_URL": ""}, "EVENTS_URL is not given", id="no-database"),
    ],
)
def test_what_is_missing_is_said_before_anything_is_installed(
    machine: Machine, given: dict[str, str], said: str
) -> None:
    done = machine.run("bash /bucket/code/restore.sh", **GIVEN | given)
    assert done.returncode == 1
    assert said in done.stderr
    assert not (machine.root / "opt/marquee").exists()


@needs_machine
def test_a_service_that_does_not_answer_is_no_success(machine: Machine) -> None:
    broken = GIVEN | {"API_KEYS": "broken", "READY_S": "1"}
    done = machine.run("bash /bucket/code/restore.sh", **broken)
    assert done.returncode == 1
    assert "marquee: the bundle is damaged\nrestore: the service was not ready" in done.stderr
    mute = GIVEN | {"API_KEYS": "no-recommendation"}
    done = machine.run("bash /bucket/code/restore.sh", **mute)
    assert done.returncode == 1
    assert "ready, but did not answer POST /recommend" in done.stderr


@needs_machine
def test_a_script_cut_short_on_its_way_does_nothing(machine: Machine) -> None:
    script = machine.bucket / "code/restore.sh"
    script.write_bytes(script.read_bytes()[: -len("main\n") - 2])
    machine.run("bash /bucket/code/restore.sh", **GIVEN)
    assert machine.calls() == []


@needs_machine
def test_debian_gets_its_packages(machine: Machine) -> None:
    (machine.root / "fakes/dnf").unlink()
    machine.command("fakes/apt-get", 'echo "apt-get $*" >>/calls')
    machine.command("fakes/python3.11", '[ "$2" = "import ensurepip" ] && exit 1; exit 3')
    machine.run("bash /bucket/code/restore.sh", **GIVEN)
    calls = machine.calls()
    assert calls[:2] == [
        "apt-get update -qq",
        "apt-get install -y -qq --no-install-recommends python3.11-venv",
    ]


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
@pytest.mark.parametrize("name", ["marquee", "marquee-app"])
def test_systemd_takes_the_unit_and_finds_it_closed(name: str) -> None:
    unit = str(ROOT / "deploy" / f"{name}.service")
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True
    )
    said = [line for line in verified.stderr.splitlines() if "is not executable" not in line]
    assert said == []  # bentoml is not installed there on this machine
    exposure = ["systemd-analyze", "security", "--offline=true", "--threshold=15", unit]
    assert subprocess.run(exposure, capture_output=True).returncode == 0


def test_the_app_lies_where_no_release_of_the_service_removes_it() -> None:
    """restore.sh removes every folder of /opt/marquee but the version that runs."""
    unit = (ROOT / "deploy/marquee-app.service").read_text()
    root = re.search(r"^ROOT=(.*)$", (ROOT / "deploy/restore.sh").read_text(), re.M)
    assert root is not None and "WorkingDirectory=/opt/marquee-app\n" in unit
    assert f"{root[1]}/" not in unit and "\nUser=" not in unit  # that nobody makes


def test_the_unit_leaves_the_service_what_it_aborts_without() -> None:
    """ZeroMQ: "Address family not supported by protocol", before the first line of the log."""
    unit = (ROOT / "deploy/marquee.service").read_text()
    (families,) = re.findall(r"^RestrictAddressFamilies=(.*)$", unit, re.M)
    assert set(families.split()) == {"AF_INET", "AF_INET6", "AF_UNIX", "AF_NETLINK"}


def test_user_data_fits() -> None:
    assert len(base64.b64encode(of_the_stack("0" * 16).encode())) < 16_384
