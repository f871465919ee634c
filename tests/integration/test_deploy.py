"""The stack and its commands, on moto's server: made, changed, rolled, removed, restored."""

import http.server
import io
import json
import subprocess
import sys
import tarfile
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml
from botocore import exceptions
from botocore.parsers import ResponseParserError
from botocore.stub import ANY, Stubber

from deploy import code, rollout, status
from deploy.__main__ import main
from deploy.aws import Aws, explained_errors
from deploy.stack import TEMPLATE, Stack, Tagged, defaults
from marquee.core.errors import InputError
from tests.support.fake_ec2 import clone
from tests.support.paths import ROOT
from tests.support.s3_server import server

pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")  # moto, of alarms
valid = Stack.valid


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[Aws]:
    with server(), pytest.MonkeyPatch.context() as patched:
        aws = Aws.connect("us-east-1")
        body = valid(Stack(aws=aws, name="any"))  # moto takes 1.3 s for it each time
        patched.setattr(Stack, "valid", lambda stack: body)
        yield aws


def new_stack(aws: Aws) -> Stack:
    """Not made yet; what it tells is in `said`. Its settings lie in Parameter Store."""
    said: list[str] = []
    made = Stack(aws=aws, name=f"m{uuid4().hex[:8]}", report=said.append, poll_s=0)
    for name in ("API_KEYS", "EVENTS_URL"):
        made.aws.ssm.put_parameter(
            Name=f"/{made.name}/{name}", Value="secret", Type="SecureString", Overwrite=True
        )
    return made


@pytest.fixture
def stack(aws: Aws) -> Stack:
    return new_stack(aws)


def said(stack: Stack) -> str:
    return "\n".join(stack.report.__self__)  # type: ignore[union-attr]


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small clone whose wheels need no download."""
    monkeypatch.setattr(code, "wheels", lambda lock: b"wheels")
    return clone(tmp_path / "clone")


def promote(stack: Stack) -> None:
    stack.aws.s3.put_object(Bucket=bucket_of(stack), Key="models/ml-1m/current.json", Body=b"{}")


def bucket_of(stack: Stack) -> str:
    return f"{stack.name}-123456789012-us-east-1"


def given(stack: Stack, **more: str) -> dict[str, str]:
    return {"Model": "ml-1m", "Settings": f"/{stack.name}", **more}


def serving(stack: Stack, root: Path) -> Stack:
    with pytest.raises(InputError, match="no model is promoted"):
        rollout.up(stack, given(stack), root=root)
    promote(stack)
    rollout.up(stack, {}, root=root)
    return stack


@pytest.fixture
def up(stack: Stack, root: Path) -> Stack:
    """A stack that serves."""
    return serving(stack, root)


@pytest.fixture(scope="module")
def running(aws: Aws, tmp_path_factory: pytest.TempPathFactory) -> Stack:
    """The same, only looked at."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(code, "wheels", lambda lock: b"wheels")
        return serving(new_stack(aws), clone(tmp_path_factory.mktemp("running") / "clone"))


def group(stack: Stack) -> dict[str, Any]:
    name = stack.outputs()["Group"]
    found = stack.aws.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
    return dict(found["AutoScalingGroups"][0])


def launch(stack: Stack) -> dict[str, Any]:
    """What machines are launched with."""
    template = group(stack)["LaunchTemplate"]
    found = stack.aws.ec2.describe_launch_template_versions(
        LaunchTemplateId=template["LaunchTemplateId"], Versions=["$Latest"]
    )
    return dict(found["LaunchTemplateVersions"][0]["LaunchTemplateData"])


def code_launched(stack: Stack) -> str:
    (tags,) = launch(stack)["TagSpecifications"]
    return {tag["Key"]: tag["Value"] for tag in tags["Tags"]}["code"]


def resources() -> dict[str, dict[str, Any]]:
    """Of the template, !Ref and its like as what they are applied to."""
    return dict(yaml.load(TEMPLATE.read_text(), Tagged)["Resources"])


def test_the_template_is_clean_for_cfn_lint() -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--include-checks", "I"]
    done = subprocess.run([*command, "-t", str(TEMPLATE)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_up_makes_the_bucket_first_and_machines_when_a_model_is_promoted(
    stack: Stack, root: Path
) -> None:
    there = f"no model is promoted in s3://{bucket_of(stack)}/models/ml-1m"
    with pytest.raises(InputError, match=f"{there}, expected one; marquee releases push"):
        rollout.up(stack, given(stack), root=root)
    assert "Group" not in stack.outputs()
    promote(stack)
    rollout.up(stack, {}, root=root)  # what was given the first time stays
    version = code.version_of(code.archive(root))
    assert code_launched(stack) == version
    assert code.current(stack.aws.s3, bucket_of(stack)) == version
    assert (group(stack)["MinSize"], group(stack)["MaxSize"]) == (1, 2)
    assert len(group(stack)["Instances"]) == 1
    lines = said(stack)
    assert f"{stack.name}: account 123456789012, us-east-1" in lines
    assert f"code {version}: there already" in lines  # sent the first time
    assert f"serving at {stack.outputs()['Address']}" in lines
    assert "API keys travel unencrypted" in lines


def test_up_again_changes_what_is_given_and_leaves_the_rest(up: Stack, root: Path) -> None:
    rollout.up(up, {"InstanceType": "c7i.large", "Max": "4"}, root=root)
    assert launch(up)["InstanceType"] == "c7i.large"
    assert (group(up)["MinSize"], group(up)["MaxSize"]) == (1, 4)
    assert rollout.parameters(up.describe())["Model"] == "ml-1m"
    with pytest.raises(
        InputError, match=f"{up.name}: has a bucket already, expected .*; for another: --stack"
    ):
        rollout.up(up, {"Bucket": "another"}, root=root)


def test_release_rolls_new_code_and_goes_back_to_old(up: Stack, root: Path) -> None:
    before = code_launched(up)
    (root / "service.py").write_text("x = 2\n")
    rollout.release(up, "", upload_only=True, root=root)
    assert code_launched(up) == before
    rollout.release(up, "", root=root)
    after = code_launched(up)
    assert after != before
    assert code.current(up.aws.s3, bucket_of(up)) == after
    rollout.release(up, before, root=root)
    assert code_launched(up) == code.current(up.aws.s3, bucket_of(up)) == before
    with pytest.raises(InputError, match="no code 0123456789abcdef in s3://"):
        rollout.release(up, "0123456789abcdef", root=root)


def test_release_of_the_same_code_replaces_machines_for_new_settings(
    up: Stack, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Moto has no instance refreshes, and finds something to change in everything."""
    monkeypatch.setattr(Stack, "apply", lambda stack, parameters: False)
    name = {"AutoScalingGroupName": up.outputs()["Group"]}
    wanted = {"Preferences": {"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200}}
    seen = [("InProgress", 0), ("InProgress", 0), ("InProgress", 50), ("Successful", 100)]
    with Stubber(up.aws.autoscaling) as aws:
        aws.add_response("start_instance_refresh", {"InstanceRefreshId": "r"}, name | wanted)
        for status_seen, percent in seen:
            one = {"Status": status_seen, "PercentageComplete": percent}
            asked = name | {"InstanceRefreshIds": ["r"]}
            aws.add_response("describe_instance_refreshes", {"InstanceRefreshes": [one]}, asked)
        rollout.release(up, "", root=root)
        aws.assert_no_pending_responses()
    assert said(up).splitlines()[-3:] == [
        "machines anew: InProgress, 0%",
        "machines anew: InProgress, 50%",
        "machines anew: Successful, 100%",
    ]
    with Stubber(up.aws.autoscaling) as aws:
        aws.add_response("start_instance_refresh", {"InstanceRefreshId": "r"})
        failed = {"Status": "Failed", "StatusReason": "i-1 is unhealthy"}
        aws.add_response("describe_instance_refreshes", {"InstanceRefreshes": [failed]})
        with pytest.raises(
            InputError,
            match=r"machines anew: Failed, 0% .i-1 is unhealthy., expected Successful; python",
        ):
            rollout.renew(up)


def test_down_keeps_the_bucket_and_restore_serves_from_it(up: Stack, root: Path) -> None:
    bucket, version = bucket_of(up), code_launched(up)
    with pytest.raises(
        InputError, match=f"other: another name, expected {bucket}; nothing was removed"
    ):
        rollout.down(up, "other")
    rollout.down(up, "")
    assert up.describe() is None
    assert f"s3://{bucket} stays" in said(up)
    rollout.up(up, given(up, Bucket=bucket), restored=True)  # without a clone
    assert code_launched(up) == version
    assert rollout.parameters(up.describe())["MakeBucket"] == "no"
    rollout.down(up, bucket)
    with pytest.raises(exceptions.ClientError, match="404"):
        up.aws.s3.head_bucket(Bucket=bucket)


def test_restore_needs_a_bucket_with_code(stack: Stack) -> None:
    with pytest.raises(InputError, match="bucket nowhere-at-all: missing, expected one of"):
        rollout.up(stack, given(stack, Bucket="nowhere-at-all"), restored=True)
    empty = f"b{uuid4().hex}"
    stack.aws.s3.create_bucket(Bucket=empty)
    with pytest.raises(InputError, match=f"s3://{empty}/code/current: missing, expected the code"):
        rollout.up(stack, given(stack, Bucket=empty), restored=True)


def test_a_machine_may_read_its_model_its_code_and_its_settings_and_no_more(running: Stack) -> None:
    arn = launch(running)["IamInstanceProfile"]["Arn"]
    profile = running.aws.iam.get_instance_profile(InstanceProfileName=arn.rsplit("/", 1)[1])
    (role,) = profile["InstanceProfile"]["Roles"]
    name = role["RoleName"]
    assert running.aws.iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    policy = running.aws.iam.get_role_policy(RoleName=name, PolicyName="serve")["PolicyDocument"]
    document = yaml.safe_load(str(policy))  # moto gives it as Python writes it
    statements = {each.pop("Sid"): each for each in document["Statement"]}
    bucket = f"arn:aws:s3:::{bucket_of(running)}"
    settings = f"arn:aws:ssm:us-east-1:123456789012:parameter/{running.name}/*"
    logs = statements.pop("WriteLogs")
    assert logs["Action"] == [
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    ]
    assert running.outputs()["LogGroup"] in logs["Resource"]
    session = statements.pop("SessionManager")
    assert session["Resource"] == "*"
    assert all(one.startswith(("ssmmessages:", "ssm:UpdateI")) for one in session["Action"])
    assert statements == {
        "ReadModelAndCode": {
            "Effect": "Allow",
            "Action": "s3:GetObject",
            "Resource": [f"{bucket}/models/ml-1m/*", f"{bucket}/code/*"],
        },
        "ListModel": {
            "Effect": "Allow",
            "Action": "s3:ListBucket",
            "Resource": bucket,
            "Condition": {"StringLike": {"s3:prefix": ["models/ml-1m/*"]}},
        },
        "ReadSettings": {"Effect": "Allow", "Action": "ssm:GetParameters", "Resource": settings},
    }


def test_machines_are_reached_by_the_balancer_alone(running: Stack) -> None:
    machine = launch(running)
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert "KeyName" not in machine
    assert machine["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    (group_id,) = machine["SecurityGroupIds"]
    (found,) = running.aws.ec2.describe_security_groups(GroupIds=[group_id])["SecurityGroups"]
    (rule,) = found["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (3000, 3000, [])
    assert len(rule["UserIdGroupPairs"]) == 1
    targets = running.aws.elbv2.describe_target_groups(
        TargetGroupArns=[running.outputs()["TargetGroup"]]
    )
    assert targets["TargetGroups"][0]["HealthCheckPath"] == "/readyz"


def test_no_secret_is_in_what_a_machine_is_launched_with(running: Stack) -> None:
    described = json.dumps([launch(running), running.describe()], default=str)
    assert "secret" not in described.lower().replace("secretsmanager", "")


def test_with_a_certificate_the_service_answers_over_https(stack: Stack, root: Path) -> None:
    arn = stack.aws.acm.request_certificate(DomainName="films.example")["CertificateArn"]
    with pytest.raises(InputError, match="no model"):
        rollout.up(stack, given(stack, Certificate=arn), root=root)
    assert stack.outputs()["Address"].startswith("https://")
    balancers = stack.aws.elbv2.describe_load_balancers()["LoadBalancers"]
    (balancer,) = (b for b in balancers if b["DNSName"] in stack.outputs()["Address"])
    listeners = stack.aws.elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])
    does = {one["Port"]: one["DefaultActions"][0]["Type"] for one in listeners["Listeners"]}
    assert does == {443: "forward", 80: "redirect"}


def test_the_bucket_is_closed_encrypted_and_keeps_what_it_has(running: Stack) -> None:
    s3, bucket = running.aws.s3, bucket_of(running)
    rules = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rules[0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    store = resources()["Store"]["Properties"]  # what follows moto does not make
    assert store["VersioningConfiguration"]["Status"] == "Enabled"
    assert set(map(bool, store["PublicAccessBlockConfiguration"].values())) == {True}
    (rule,) = store["LifecycleConfiguration"]["Rules"]
    assert set(rule) == {"Id", "Status", "AbortIncompleteMultipartUpload"}
    (policy,) = resources()["StorePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    assert (policy["Effect"], policy["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )


def test_machines_are_replaced_one_by_one_and_only_when_they_signal() -> None:
    policy = resources()["Group"]["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert (policy["MaxBatchSize"], policy["WaitOnResourceSignals"]) == (1, True)
    assert policy["MinInstancesInService"] == "Min"
    watched = {r["Properties"]["MetricName"] for r in resources().values() if "Alarm" in r["Type"]}
    assert watched == {
        "UnHealthyHostCount",
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
        "TargetResponseTime",
        "CPUUtilization",
    }


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [
        pytest.param({"Model": ""}, "no model is named, expected --model", id="model"),
        pytest.param({"Min": "2"}, "--max 2: expected more than --min 2", id="no-room"),
        pytest.param({"Model": "Big One"}, r"--model Big One: expected \[a-z0-9", id="model-name"),
        pytest.param({"Min": "0"}, "--min 0: expected 1 or more", id="none"),
        pytest.param({"InstanceType": "t9"}, "--instance-type t9: expected t3.small, ", id="type"),
        pytest.param({"Callers": "all"}, "--callers all: expected ", id="callers"),
        pytest.param({"Certificate": "mine"}, "--certificate mine: expected .arn:", id="arn"),
        pytest.param(
            {"Vpc": "vpc-1"}, r"no VPC vpc-1 in us-east-1, expected one of vpc-", id="vpc"
        ),
        pytest.param(
            {"Settings": "/other"},
            "/other/API_KEYS: not in Parameter Store, expected a SecureString; "
            "aws ssm put-parameter --type SecureString",
            id="settings",
        ),
    ],
)
def test_up_makes_nothing_where_something_is_missing(
    stack: Stack, asked: dict[str, str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        rollout.up(stack, given(stack) | asked)
    assert stack.describe() is None


def test_a_setting_in_clear_is_refused(stack: Stack) -> None:
    name = f"/{stack.name}/API_KEYS"
    stack.aws.ssm.delete_parameter(Name=name)
    stack.aws.ssm.put_parameter(Name=name, Value="k", Type="String")
    with pytest.raises(InputError, match=f"{name}: a String, expected a SecureString; aws ssm put"):
        rollout.up(stack, given(stack))


def test_a_region_without_a_default_vpc_is_named(stack: Stack) -> None:
    with Stubber(stack.aws.ec2) as ec2:
        ec2.add_response("describe_vpcs", {"Vpcs": []}, {"Filters": ANY})
        with pytest.raises(
            InputError,
            match="no default VPC in us-east-1, expected one; name it with --vpc and --subnets",
        ):
            rollout.network(stack, {})


def described(status: str) -> dict[str, Any]:
    at = datetime(2026, 11, 23, tzinfo=UTC)
    one = {"StackName": "m", "StackId": "id", "CreationTime": at, "StackStatus": status}
    parameter = {"ParameterKey": "Model", "ParameterValue": "ml-1m"}
    return {"Stacks": [one | {"Parameters": [parameter]}]}


def events(*each: tuple[str, str, str]) -> dict[str, Any]:
    """Newest first: part, status, reason."""
    at = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
    return {
        "StackEvents": [
            {
                "StackId": "id",
                "StackName": "m",
                "EventId": f"{len(each) - number}",
                "Timestamp": at,
                "LogicalResourceId": part,
                "ResourceStatus": status,
                "ResourceStatusReason": reason,
            }
            for number, (part, status, reason) in enumerate(each)
        ]
    }


FAILED = events(
    ("m", "UPDATE_ROLLBACK_COMPLETE", ""),
    ("Listener", "CREATE_FAILED", "Resource creation cancelled"),
    ("Group", "UPDATE_FAILED", "Received 0 SUCCESS signal(s) out of 1."),
    ("m", "UPDATE_IN_PROGRESS", "User Initiated"),
    ("Role", "CREATE_FAILED", "of an earlier change"),
)


def test_an_update_is_asked_for_exactly_and_its_failure_told_with_the_reason(stack: Stack) -> None:
    stack.name = "m"
    with Stubber(stack.aws.cloudformation) as aws:
        aws.add_response("describe_stacks", described("UPDATE_COMPLETE"), {"StackName": "m"})
        aws.add_response("describe_stack_events", events(), {"StackName": "id"})
        update = {
            "StackName": "m",
            "TemplateBody": TEMPLATE.read_text(),
            "Parameters": [
                {"ParameterKey": "Code", "ParameterValue": "0" * 16},
                {"ParameterKey": "Model", "UsePreviousValue": True},
            ],
            "Capabilities": ["CAPABILITY_IAM"],
        }
        aws.add_response("update_stack", {"StackId": "id"}, update)
        aws.add_response("describe_stacks", described("UPDATE_ROLLBACK_COMPLETE"))
        aws.add_response("describe_stack_events", FAILED)
        aws.add_response("describe_stack_events", FAILED)
        sentence = (
            r"m: UPDATE_ROLLBACK_COMPLETE \(Group: Received 0 SUCCESS signal\(s\) out of 1\), "
            "expected a finished change; "
        )
        with pytest.raises(InputError, match=sentence + "the stack is as it was before"):
            stack.apply({"Code": "0" * 16})
    lines = said(stack).splitlines()
    assert lines[-1].split() == ["09:30:00", "UPDATE_ROLLBACK_COMPLETE", "m"]
    assert any("Received 0 SUCCESS signal" in line for line in lines)


def test_nothing_to_update_is_no_failure(stack: Stack) -> None:
    with Stubber(stack.aws.cloudformation) as aws:
        aws.add_response("describe_stacks", described("UPDATE_COMPLETE"))
        aws.add_response("describe_stack_events", events())
        aws.add_client_error("update_stack", "ValidationError", "No updates are to be performed.")
        assert stack.apply({}) is False


@pytest.mark.parametrize(
    ("state", "remedy"),
    [
        ("ROLLBACK_COMPLETE", "remove it: python -m deploy down --stack m, then up again"),
        ("UPDATE_ROLLBACK_FAILED", "aws cloudformation continue-update-rollback --stack-name m"),
        (
            "UPDATE_IN_PROGRESS",
            "expected no change under way; wait for it: python -m deploy status",
        ),
    ],
)
def test_a_stack_that_cannot_be_changed_is_left_alone(
    stack: Stack, state: str, remedy: str
) -> None:
    stack.name = "m"
    with Stubber(stack.aws.cloudformation) as aws:
        aws.add_response("describe_stacks", described(state))
        if "ROLLBACK" in state:
            aws.add_response("describe_stack_events", FAILED)
        with pytest.raises(InputError, match=remedy):
            rollout.up(stack, given(stack))


def test_a_template_that_is_not_valid_is_said_with_where_to_look(stack: Stack) -> None:
    with Stubber(stack.aws.cloudformation) as aws:
        aws.add_client_error("validate_template", "ValidationError", "Template format error: x")
        with pytest.raises(
            InputError, match=r"template.yaml: .* x, expected a valid .* cfn-lint deploy/"
        ):
            valid(stack)


def refused(name: str, message: str = "no") -> exceptions.ClientError:
    return exceptions.ClientError({"Error": {"Code": name, "Message": message}}, "DescribeStacks")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (
            exceptions.NoCredentialsError(),
            r"no AWS credentials, expected .*; sign in \(aws sso login",
        ),
        (refused("ExpiredToken"), r"credentials of AWS: expired .*, expected valid ones; sign in"),
        (
            refused("SignatureDoesNotMatch"),
            "credentials of AWS: unknown there .*, expected valid ones; sign in",
        ),
        (refused("RequestTimeTooSkewed"), "clock is wrong"),
        (
            refused("AccessDenied", "not\n authorized"),
            "DescribeStacks in r: not authorized, expected credentials",
        ),
        (refused("Odd", "what\n else"), r"DescribeStacks in r: refused by AWS \(what else"),
        (
            exceptions.EndpointConnectionError(endpoint_url="https://cloudformation.r"),
            "https://cloudformation.r: no answer, expected AWS in region 'r'; check --region",
        ),
        (
            ResponseParserError("invalid\nXML: <html>"),
            r"not AWS, expected .*; check --region .r., AWS_END",
        ),
        (
            exceptions.ParamValidationError(report="a\nb"),
            "request to AWS: Parameter validation failed: a b",
        ),
    ],
)
def test_what_aws_refuses_is_one_sentence_with_the_remedy(error: Exception, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as raised, explained_errors("r"):
        raise error
    assert "\n" not in str(raised.value)


def test_the_command_line_says_what_is_wrong_and_fails(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert main(["status", "--stack", "none", "--region", "eu-west-1"]) == 2
    sentence = "error: there is no stack none in eu-west-1 of account 123456789012, expected"
    assert sentence in capsys.readouterr().err
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    assert main(["status"]) == 2
    assert "no AWS region is set, expected one; --region" in capsys.readouterr().err
    monkeypatch.setenv("AWS_ENDPOINT_URL", "moto")
    assert main(["status", "--region", "us-east-1"]) == 2
    assert "AWS_ENDPOINT_URL: Invalid endpoint: moto, expected http" in capsys.readouterr().err


@pytest.mark.parametrize(
    "words",
    [
        *(["logs", "--since", since] for since in ("nan", "inf", "-5", "0")),
        ["release", "--code", "f" * 16, "--upload-only"],
        ["up", "--min", "few"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_not_understood(words: list[str]) -> None:
    assert main([*words, "--region", "us-east-1"]) == 2


def test_options_become_parameters_of_the_template(stack: Stack, root: Path) -> None:
    options = ["--instance-type", "t3.large", "--model", "ml-1m", "--settings", f"/{stack.name}"]
    assert main(["up", "--region", "us-east-1", "--stack", stack.name, *options]) == 2  # no model
    known = rollout.parameters(stack.describe())
    assert (known["InstanceType"], known["Model"]) == ("t3.large", "ml-1m")
    assert defaults()["InstanceType"] == "t3.medium"


def test_status_shows_machines_and_the_model_that_answers(
    running: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "answering", lambda address: f"asked {address}")
    before = len(said(running))
    status.status(running)
    lines = said(running)[before:]
    (machine,) = group(running)["Instances"]
    assert f"code     {code_launched(running)}" in lines
    assert f"machine  {machine['InstanceId']}  InService, " in lines
    assert f"model    asked {running.outputs()['Address']}" in lines


@pytest.mark.parametrize(
    ("code_given", "body", "sentence"),
    [
        (200, {"model_version": "46ce", "events": "up"}, "46ce, events up"),
        (503, {}, "not ready (503); python -m deploy logs"),
        (502, None, "no answer from"),
    ],
)
def test_the_model_that_answers(code_given: int, body: Any, sentence: str) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(code_given if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(b"<html>" if body is None else json.dumps(body).encode())

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        assert status.answering(f"http://127.0.0.1:{running.server_port}").startswith(sentence)
        running.shutdown()


def test_logs_are_told_oldest_first_from_when_was_asked(up: Stack) -> None:
    name, now = up.outputs()["LogGroup"], int(time.time() * 1000)
    up.aws.logs.create_log_stream(logGroupName=name, logStreamName="i-1/service")
    messages = [(now - 3_600_000, "an hour ago"), (now - 2000, "first"), (now - 1000, "second")]
    put = [{"timestamp": at, "message": text} for at, text in messages]
    up.aws.logs.put_log_events(logGroupName=name, logStreamName="i-1/service", logEvents=put)
    before = len(said(up))
    status.logs(up, since_s=60, follow=False)
    lines = said(up)[before:].strip().splitlines()
    assert [line.split("  ")[1:] for line in lines] == [
        ["i-1/service", "first"],
        ["i-1/service", "second"],
    ]


def test_the_archive_of_the_same_files_is_the_same_and_holds_what_the_image_does(
    root: Path,
) -> None:
    first = code.archive(root)
    (root / "service.py").touch()
    assert code.archive(root) == first
    with tarfile.open(fileobj=io.BytesIO(first)) as tar:
        names = ["deploy/marquee.service", "deploy/restore.sh", code.LOCK, "service.py"]
        assert tar.getnames() == names
    (root / "service.py").write_text("x = 2\n")
    assert code.archive(root) != first
    (root / code.LOCK).unlink()
    with pytest.raises(InputError, match=f"{code.LOCK}: missing, expected a clone"):
        code.archive(root)


def test_the_code_of_this_repository_serves_without_training() -> None:
    if not (ROOT / code.LOCK).exists():
        pytest.skip(f"needs {code.LOCK}: make lock")
    names = {str(path.relative_to(ROOT)) for path in code.files(ROOT)}
    assert {
        "service.py",
        "marquee/recommender/recommender.py",
        "marquee/releases/follower.py",
        code.LOCK,
    } <= names
    assert not [name for name in names if name.startswith(("models/", "training/", "data"))]


def test_what_is_in_the_bucket_is_not_sent_again(root: Path) -> None:
    s3, bucket = boto3.client("s3"), f"b{uuid4().hex}"
    s3.create_bucket(Bucket=bucket)
    version, sent = code.upload(s3, bucket, root)
    assert [key.split("/")[-1] for key in sent][1:] == ["restore.sh", "marquee.tar.gz"]
    assert sent[0] == f"code/wheels/{code.version_of((root / code.LOCK).read_bytes())}.tar"
    assert code.upload(s3, bucket, root) == (version, [])
    assert code.current(s3, bucket) == ""
    code.record(s3, bucket, version)
    assert code.current(s3, bucket) == version


def test_wheels_are_fetched_for_the_machines_with_their_hashes_checked(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    lock.write_text("no-such-package==1 --hash=sha256:00\n")
    command = " ".join(code.download(lock, "out"))
    for part in ("--require-hashes", "--only-binary :all:", "--python-version 3.11", "--no-deps"):
        assert part in command
    assert "--platform manylinux_2_28_x86_64" in command
    with pytest.raises(
        InputError, match=r"a\.lock: ERROR.*, expected packages that can be fetched"
    ):
        code.wheels(lock)
