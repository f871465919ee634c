"""deploy/stack.sh with the real AWS CLI, on moto's server or on a faked `aws`."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
from moto.cloudformation.models import CloudFormationBackend

from tests.support.fake_ec2 import clone
from tests.support.paths import ROOT
from tests.support.s3_server import server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(900),
    pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning"),  # moto, of alarms
]
UPLOAD = f"""#!/bin/sh
exec {sys.executable} -c "
import sys, boto3
from pathlib import Path
from deploy import code
code.wheels = lambda lock: b'wheels'
print(code.upload(boto3.client('s3'), sys.argv[1], Path.cwd()))" "$3"
"""
"""Stands for `python -m deploy.code BUCKET`: the code of the small clone, without a download."""


@dataclass
class Stack:
    """A small clone whose deploy/stack.sh manages one stack.

    moto resolves no AMI that Parameter Store names, so the clone's template names one itself.
    """

    root: Path
    name: str = field(default_factory=lambda: f"m{uuid4().hex[:8]}")

    def __post_init__(self) -> None:
        template = (ROOT / "deploy/template.yaml").read_text()
        template = template.replace("AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", "String")
        image = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
        assert image in template
        (self.root / "deploy/template.yaml").write_text(template.replace(image, "ami-12c6146b"))
        shutil.copy(ROOT / "deploy/stack.sh", self.root / "deploy/stack.sh")
        (self.root / "python").write_text(UPLOAD)
        (self.root / "python").chmod(0o755)

    @property
    def bucket(self) -> str:
        return f"{self.name}-123456789012-us-east-1"

    def run(
        self, command: str, *options: str, status: int = 0, path: str = "", **environment: str
    ) -> str:
        """Run a command of the script and return what it printed, after a check of its status."""
        settings = {"PYTHON": str(self.root / "python"), "POLL_S": "0"} | environment
        settings["PATH"] = f"{path or Path(sys.executable).parent}:{os.environ['PATH']}"
        result = subprocess.run(
            [str(self.root / "deploy/stack.sh"), command, "--stack", self.name, *options],
            env=os.environ | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=600,
        )
        assert result.returncode == status, result.stdout
        return result.stdout

    def describe(self) -> dict[str, Any]:
        """Return parameters and outputs."""
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        parameters = {p["ParameterKey"]: p["ParameterValue"] for p in stack["Parameters"]}
        return parameters | {o["OutputKey"]: o["OutputValue"] for o in stack.get("Outputs", [])}

    def promote(self) -> None:
        key = "models/ml-1m/current.json"
        boto3.client("s3").put_object(Bucket=self.bucket, Key=key, Body=b"{}")

    def current_code(self) -> str:
        s3 = boto3.client("s3")
        return s3.get_object(Bucket=self.bucket, Key="code/current")["Body"].read().decode()


@pytest.fixture(scope="module")
def aws() -> Iterator[str]:
    """moto's server with a fix: there a parameter that has its default has no previous value."""
    resolve = CloudFormationBackend._resolve_update_parameters

    def resolve_known(
        backend: CloudFormationBackend, instance: Any, incoming_params: list[dict[str, str]]
    ) -> dict[str, str]:
        known = [
            p
            for p in incoming_params
            if {p["ParameterKey"]} & set(instance.parameters) or "ParameterValue" in p
        ]
        return resolve(backend, instance, known)

    with server() as url, pytest.MonkeyPatch.context() as patched:
        patched.setattr(CloudFormationBackend, resolve.__name__, resolve_known)
        yield url


@pytest.fixture
def stack(aws: str, tmp_path: Path) -> Stack:
    """A stack that does not exist yet; its secrets are in Parameter Store."""
    stack = Stack(clone(tmp_path / "clone"))
    for name in ("API_KEYS", "EVENTS_URL"):
        boto3.client("ssm").put_parameter(
            Name=f"/{stack.name}/{name}", Value="secret", Type="SecureString"
        )
    return stack


def test_stack_script_life_of_a_stack(stack: Stack) -> None:
    """up, up with other options, release, the way back, down, restore, down with the bucket."""
    options = ("--model", "ml-1m", "--settings", f"/{stack.name}")
    output = stack.run("up", *options, status=2)
    assert f"no model is promoted in s3://{stack.bucket}/models/ml-1m, expected one" in output
    assert "Group" not in stack.describe()

    stack.promote()
    output = stack.run("up", "--instance-type", "c7i.large", "--max", "4")
    first = stack.current_code()
    values = stack.describe()
    assert (values["InstanceType"], values["Max"], values["Model"]) == ("c7i.large", "4", "ml-1m")
    assert values["Code"] == first
    assert f"serving at {values['Address']}" in output
    assert "answers and API keys travel unencrypted" in output
    output = stack.run("up", "--bucket", "another", status=2)
    assert f"{stack.name}: has the bucket {stack.bucket} already, expected no other" in output

    output = stack.run("status")
    assert f"code     {first}" in output and "machine \ti-" in output and "model    " in output

    (stack.root / "service.py").write_text("x = 2\n")
    second = stack.run("upload").splitlines()[-1]
    assert second != first and stack.describe()["Code"] == first
    stack.run("release")
    assert stack.describe()["Code"] == stack.current_code() == second
    stack.run("release", "--code", first)
    assert stack.describe()["Code"] == stack.current_code() == first
    output = stack.run("release", "--code", "0" * 16, status=2)
    assert f"no code {'0' * 16} in s3://{stack.bucket}/code/, expected a version there" in output

    output = stack.run("down", "--delete-bucket", "other", status=2)
    assert f"other: another name, expected {stack.bucket}; nothing was removed" in output
    assert f"s3://{stack.bucket} stays" in stack.run("down")
    stack.run("restore", "--bucket", stack.bucket, *options)
    assert (stack.describe()["Code"], stack.describe()["MakeBucket"]) == (first, "no")
    assert "is removed" in stack.run("down", "--delete-bucket", stack.bucket)
    buckets = boto3.client("s3").list_buckets()["Buckets"]
    assert stack.bucket not in {bucket["Name"] for bucket in buckets}


@pytest.mark.parametrize(
    ("command", "options", "message"),
    [
        pytest.param("status", [], "there is no stack m", id="no-stack"),
        pytest.param("release", [], "deploy/stack.sh up", id="release-without-stack"),
        pytest.param("up", [], "no model is named, expected --model", id="no-model"),
        pytest.param(
            "up", ["--model", "m", "--min", "2"], "--max 2: expected more than --min 2", id="max"
        ),
        pytest.param(
            "up",
            ["--model", "m", "--settings", "/other"],
            "/other/API_KEYS: not in Parameter Store as a SecureString, expected one",
            id="no-secret",
        ),
        pytest.param(
            "restore",
            ["--model", "m", "--bucket", "nowhere-at-all"],
            "bucket nowhere-at-all: ",
            id="no-bucket",
        ),
        pytest.param("up", ["--colour", "red"], "--colour: unknown, expected an option", id="name"),
        pytest.param("up", ["--model"], "--model: no value, expected one", id="no-value"),
        pytest.param("fly", [], "fly: unknown, expected up, restore", id="command"),
    ],
)
def test_stack_script_refuses(stack: Stack, command: str, options: list[str], message: str) -> None:
    if command == "restore":
        options = [*options, "--settings", f"/{stack.name}"]
    assert message in stack.run(command, *options, status=2)


def test_stack_script_refuses_a_plain_secret(stack: Stack) -> None:
    name = f"/{stack.name}/API_KEYS"
    ssm = boto3.client("ssm")
    ssm.delete_parameter(Name=name)
    ssm.put_parameter(Name=name, Value="k", Type="String")
    options = ("--model", "ml-1m", "--settings", f"/{stack.name}")
    output = stack.run("up", *options, status=2)
    assert f"{name}: not in Parameter Store as a SecureString, expected one" in output


FakeAws = Callable[[dict[str, str]], str]


@pytest.fixture
def fake_aws(tmp_path: Path) -> FakeAws:
    """Make a folder with an `aws` that prints an answer per subcommand, and logs its calls."""

    def make(answers: dict[str, str]) -> str:
        folder = tmp_path / "bin"
        folder.mkdir()
        cases = "\n".join(f'"{name}"*) {action} ;;' for name, action in answers.items())
        script = f'#!/bin/sh\necho "$*" >>{tmp_path}/calls\ncase "$1 $2" in\n{cases}\nesac\n'
        (folder / "aws").write_text(script)
        (folder / "aws").chmod(0o755)
        return str(folder)

    return make


def stack_lines(**values: str) -> str:
    """Return the action that prints a stack as the script queries it."""
    lines = "".join(rf"{name}\t{value}\n" for name, value in values.items())
    return f"printf '{lines}'"


ACCOUNT = {"sts get-caller-identity": "echo 123456789012"}


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        pytest.param("ROLLBACK_COMPLETE", "deploy/stack.sh down, then up", id="first-failed"),
        pytest.param(
            "UPDATE_ROLLBACK_FAILED",
            "aws cloudformation continue-update-rollback --stack-name",
            id="rollback-failed",
        ),
        pytest.param("UPDATE_IN_PROGRESS", "expected no change under way", id="in-progress"),
    ],
)
def test_stack_script_leaves_a_broken_stack_alone(
    stack: Stack, fake_aws: FakeAws, state: str, remedy: str, tmp_path: Path
) -> None:
    answers = ACCOUNT | {
        "cloudformation describe-stacks": stack_lines(Status=state),
        "cloudformation describe-stack-events": "echo Group Received 0 SUCCESS signals out of 1",
    }
    output = stack.run("up", "--model", "m", status=2, path=fake_aws(answers))
    assert f"{stack.name}: {state}" in output and remedy in output
    assert state == "UPDATE_IN_PROGRESS" or "Received 0 SUCCESS signals" in output
    assert "update-stack" not in (tmp_path / "calls").read_text()


def release_answers(refresh: str) -> dict[str, str]:
    """Return answers to a release that changes nothing in the stack, and to its refresh."""
    lines = stack_lines(
        Status="UPDATE_COMPLETE",
        Changed="2026-11-23",
        Bucket="b",
        Model="m",
        Group="g",
        Address="a",
    )
    return ACCOUNT | {
        "cloudformation describe-stacks": lines,
        "cloudformation update-stack": "echo No updates are to be performed; exit 255",
        "s3 cp": '[ "$4" != - ] || cat >/dev/null',
        "autoscaling start-instance-refresh": "echo r",
        "autoscaling describe-instance-refreshes": refresh,
    }


def test_stack_script_release_of_same_code_renews_machines(
    stack: Stack, fake_aws: FakeAws, tmp_path: Path
) -> None:
    count = tmp_path / "count"
    refresh = (
        f"echo >>{count}; [ $(wc -l <{count}) = 1 ] && echo InProgress 50 || echo Successful 100"
    )
    output = stack.run("release", "--code", "0" * 16, path=fake_aws(release_answers(refresh)))
    lines = ["machines anew: InProgress 50", "machines anew: Successful 100"]
    assert output.splitlines()[-2:] == lines


def test_stack_script_failed_renewal_is_an_error(stack: Stack, fake_aws: FakeAws) -> None:
    answers = release_answers("echo Failed 0 i-1 is unhealthy")
    output = stack.run("release", "--code", "0" * 16, status=2, path=fake_aws(answers))
    assert "machines anew: Failed 0 i-1 is unhealthy, expected Successful" in output


def test_stack_script_logs_tail_the_log_group(
    stack: Stack, fake_aws: FakeAws, tmp_path: Path
) -> None:
    group = stack_lines(Status="CREATE_COMPLETE", LogGroup="marquee-logs")
    answers = ACCOUNT | {"cloudformation describe-stacks": group, "logs tail": "echo a line"}
    output = stack.run("logs", "--since", "5", "--follow", "yes", path=fake_aws(answers))
    assert output.splitlines()[-1] == "a line"
    assert (tmp_path / "calls").read_text().splitlines()[-1] == (
        "logs tail marquee-logs --since 5m --format short --follow"
    )


def test_stack_script_without_a_session_says_sign_in(stack: Stack, fake_aws: FakeAws) -> None:
    path = fake_aws({"sts get-caller-identity": "echo ExpiredToken >&2; exit 255"})
    output = stack.run("status", status=2, path=path)
    assert "no session with AWS, expected one; aws sso login" in output


def test_stack_script_has_no_shellcheck_finding() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("needs shellcheck")
    scripts = [str(path) for path in sorted((ROOT / "deploy").glob("*.sh"))]
    result = subprocess.run(["shellcheck", *scripts], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout
