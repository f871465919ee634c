"""deploy/template.yaml: what cfn-lint finds, and what moto's server makes of it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import boto3
import pytest
import yaml

from tests.support.paths import ROOT
from tests.support.s3_server import server

TEMPLATE = ROOT / "deploy/template.yaml"
ACCOUNT = "123456789012"
pytestmark = pytest.mark.filterwarnings("ignore:Tried to parse:UserWarning")  # moto, of alarms


class TemplateLoader(yaml.SafeLoader):  # type: ignore[misc]
    """Reads !Ref and the like as their argument."""


TemplateLoader.add_multi_constructor("!", lambda loader, _, node: getattr(node, "value", None))


def resources() -> dict[str, dict[str, Any]]:
    return dict(yaml.load(TEMPLATE.read_text(), TemplateLoader)["Resources"])


@dataclass(frozen=True)
class Stack:
    """A stack that moto made of the template."""

    name: str

    @property
    def bucket(self) -> str:
        return f"{self.name}-bucket"

    def describe(self) -> dict[str, Any]:
        (stack,) = boto3.client("cloudformation").describe_stacks(StackName=self.name)["Stacks"]
        return dict(stack)

    def outputs(self) -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self.describe()["Outputs"]}

    def launch_template(self) -> dict[str, Any]:
        """Return what machines are launched with."""
        groups = boto3.client("autoscaling").describe_auto_scaling_groups(
            AutoScalingGroupNames=[self.outputs()["Group"]]
        )
        template = groups["AutoScalingGroups"][0]["LaunchTemplate"]
        versions = boto3.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=template["LaunchTemplateId"], Versions=["$Latest"]
        )
        return dict(versions["LaunchTemplateVersions"][0]["LaunchTemplateData"])


def create(**parameters: str) -> Stack:
    """Make a stack in the default VPC."""
    stack = Stack(f"m{uuid4().hex[:8]}")
    ec2 = boto3.client("ec2")
    subnets = [subnet["SubnetId"] for subnet in ec2.describe_subnets()["Subnets"][:2]]
    values = {
        "Model": "ml-1m",
        "Code": "0" * 16,
        "Bucket": stack.bucket,
        "Vpc": ec2.describe_vpcs()["Vpcs"][0]["VpcId"],
        "Subnets": ",".join(subnets),
        "Settings": f"/{stack.name}",
        **parameters,
    }
    boto3.client("cloudformation").create_stack(
        StackName=stack.name,
        TemplateBody=TEMPLATE.read_text(),
        Capabilities=["CAPABILITY_IAM"],
        Parameters=[{"ParameterKey": k, "ParameterValue": v} for k, v in values.items()],
    )
    return stack


@pytest.fixture(scope="module", autouse=True)
def aws() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture(scope="module")
def stack(aws: str) -> Stack:
    """Only read by the tests."""
    name = create().name
    for setting in ("API_KEYS", "EVENTS_URL"):
        boto3.client("ssm").put_parameter(
            Name=f"/{name}/{setting}", Value="secret", Type="SecureString"
        )
    return Stack(name)


def test_template_passes_cfn_lint() -> None:
    command = [str(Path(sys.executable).with_name("cfn-lint")), "--include-checks", "I"]
    result = subprocess.run([*command, "-t", str(TEMPLATE)], capture_output=True, text=True)
    assert result.returncode == 0, result.stdout


def test_machine_role_reads_its_model_code_and_settings(stack: Stack) -> None:
    iam = boto3.client("iam")
    arn = stack.launch_template()["IamInstanceProfile"]["Arn"]
    profile = iam.get_instance_profile(InstanceProfileName=arn.rsplit("/", 1)[1])
    (role,) = profile["InstanceProfile"]["Roles"]
    name = role["RoleName"]
    assert iam.list_attached_role_policies(RoleName=name)["AttachedPolicies"] == []
    policy = iam.get_role_policy(RoleName=name, PolicyName="serve")["PolicyDocument"]
    document = yaml.safe_load(str(policy))  # moto gives it as Python writes it
    statements = {statement.pop("Sid"): statement for statement in document["Statement"]}
    bucket = f"arn:aws:s3:::{stack.bucket}"
    settings = f"arn:aws:ssm:us-east-1:{ACCOUNT}:parameter/{stack.name}/*"
    logs = statements.pop("WriteLogs")
    assert logs["Action"] == [
        "logs:CreateLogStream",
        "logs:DescribeLogStreams",
        "logs:PutLogEvents",
    ]
    assert stack.outputs()["LogGroup"] in logs["Resource"]
    session = statements.pop("SessionManager")
    assert session["Resource"] == "*"
    assert all(action.startswith(("ssmmessages:", "ssm:UpdateI")) for action in session["Action"])
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


def test_machines_accept_the_load_balancer_alone(stack: Stack) -> None:
    machine = stack.launch_template()
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert "KeyName" not in machine
    assert machine["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    groups = boto3.client("ec2").describe_security_groups(GroupIds=machine["SecurityGroupIds"])
    (rule,) = groups["SecurityGroups"][0]["IpPermissions"]
    assert (rule["FromPort"], rule["ToPort"], rule["IpRanges"]) == (3000, 3000, [])
    assert len(rule["UserIdGroupPairs"]) == 1
    targets = boto3.client("elbv2").describe_target_groups(
        TargetGroupArns=[stack.outputs()["TargetGroup"]]
    )
    assert targets["TargetGroups"][0]["HealthCheckPath"] == "/readyz"


def test_launch_template_holds_no_secret(stack: Stack) -> None:
    described = json.dumps([stack.launch_template(), stack.describe()], default=str)
    assert "secret" not in described.lower().replace("secretsmanager", "")


def test_certificate_serves_https_and_redirects_http() -> None:
    acm = boto3.client("acm")
    arn = acm.request_certificate(DomainName="movies.example")["CertificateArn"]
    outputs = create(Certificate=arn).outputs()
    assert outputs["Address"].startswith("https://")
    elbv2 = boto3.client("elbv2")
    balancers = elbv2.describe_load_balancers()["LoadBalancers"]
    (balancer,) = (b for b in balancers if b["DNSName"] in outputs["Address"])
    listeners = elbv2.describe_listeners(LoadBalancerArn=balancer["LoadBalancerArn"])["Listeners"]
    actions = {listener["Port"]: listener["DefaultActions"][0]["Type"] for listener in listeners}
    assert actions == {443: "forward", 80: "redirect"}


def test_bucket_is_closed_encrypted_and_versioned(stack: Stack) -> None:
    encryption = boto3.client("s3").get_bucket_encryption(Bucket=stack.bucket)
    (rule,) = encryption["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    store = resources()["Store"]["Properties"]  # moto makes none of what follows
    assert store["VersioningConfiguration"]["Status"] == "Enabled"
    assert set(map(bool, store["PublicAccessBlockConfiguration"].values())) == {True}
    (rule,) = store["LifecycleConfiguration"]["Rules"]
    assert set(rule) == {"Id", "Status", "AbortIncompleteMultipartUpload"}
    (policy,) = resources()["StorePolicy"]["Properties"]["PolicyDocument"]["Statement"]
    condition = {"Bool": {"aws:SecureTransport": "false"}}
    assert (policy["Effect"], policy["Condition"]) == ("Deny", condition)


def test_update_policy_replaces_machines_when_they_signal() -> None:
    policy = resources()["Group"]["UpdatePolicy"]["AutoScalingRollingUpdate"]
    assert (policy["MaxBatchSize"], policy["WaitOnResourceSignals"]) == (1, True)
    assert policy["MinInstancesInService"] == "Min"


def test_alarms_watch_readiness_errors_latency_and_load() -> None:
    alarms = [r for r in resources().values() if r["Type"] == "AWS::CloudWatch::Alarm"]
    assert {alarm["Properties"]["MetricName"] for alarm in alarms} == {
        "UnHealthyHostCount",
        "HTTPCode_Target_5XX_Count",
        "HTTPCode_ELB_5XX_Count",
        "TargetResponseTime",
        "CPUUtilization",
    }
