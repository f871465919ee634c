"""Fake an EC2 machine to install on: a root and namespaces of its own, with fake tools.

    machine = Machine(tmp_path)
    machine.bucket / "code/current"       # a file for `aws s3 cp`
    machine.run("bash /restore.sh", BUCKET="b", …)

The host's /usr and Python are seen read-only; /etc, /opt, /var and /run are empty. Commands
that would reach beyond (aws, dnf, systemctl, …) are logged in `calls`; systemctl starts the unit.
"""

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from functools import cache
from pathlib import Path

from deploy import code
from tests.support.paths import ROOT

AWS = """
echo "aws $*" >>/calls
case "$1 $2" in
  "s3 cp")
    from=/bucket/${4#s3://*/}
    [ "$5" = - ] && exec cat "$from"
    exec cp "$from" "$5" ;;
  "ssm get-parameters") exec cat /parameters ;;
esac
"""
SYSTEMCTL = """
echo "systemctl $*" >>/calls
[ "$1" = restart ] || exit 0
unit=/etc/systemd/system/$2.service
set -a; . "$(sed -n 's/^EnvironmentFile=//p' $unit)"; set +a
cd "$(sed -n 's/^WorkingDirectory=//p' $unit)"
[ ! -e /pid ] || kill "$(cat /pid)"
setsid $(sed -n 's/^ExecStart=//p' $unit) >>/var/log/marquee/service.log 2>&1 &
echo $! >/pid
"""
LOGGED = 'echo "$(basename "$0") $*" >>/calls'
NO_SLEEP = '[ "$1" = 30 ] && exec true; exec /usr/bin/sleep "$@"'
SERVICE = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Answer(BaseHTTPRequestHandler):
    def do_GET(self, status=200):
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"ready": true, "model_version": "46ce"}')

    def do_POST(self):
        key = os.environ["API_KEYS"].split(",")[0]
        is_allowed = self.headers["Authorization"] == f"Bearer {key}"
        self.do_GET(401 if not is_allowed else 503 if "no-recommendation" in key else 200)

    def log_message(self, *_):
        pass

def main():
    with open("/served.json", "w") as file:
        json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ)}, file)
    if "broken" in os.environ["API_KEYS"]:
        sys.exit("marquee: the bundle is damaged")
    HTTPServer(("0.0.0.0", 3000), Answer).serve_forever()
"""


def missing_requirement() -> str:
    """Return why this system cannot run a machine; empty where it can."""
    if os.geteuid() or not shutil.which("unshare"):
        return "needs root and unshare"
    process = subprocess.run(["unshare", "-mnpf", "true"], capture_output=True, text=True)
    return f"no namespaces here: {process.stderr.strip()}" if process.returncode else ""


class Machine:
    def __init__(self, root: Path) -> None:
        self.root = root
        for name in (
            "bucket",
            "usr",
            "proc",
            "dev",
            "etc/systemd/system",
            "opt",
            "var",
            "run",
            "tmp",
        ):
            (root / name).mkdir(parents=True)
        for name in ("bin", "sbin", "lib", "lib64"):
            (root / name).symlink_to(f"usr/{name}")
        for name in ("passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache"):
            shutil.copy(f"/etc/{name}", root / "etc")
        shutil.copytree("/etc/alternatives", root / "etc/alternatives", symlinks=True)
        self.python = Path(sys.base_prefix)
        (root / self.python.relative_to("/")).mkdir(parents=True, exist_ok=True)
        for name, script in (("aws", AWS), ("systemctl", SYSTEMCTL), ("sleep", NO_SLEEP)):
            self.command(f"fakes/{name}", script)
        self.command("opt/aws/bin/cfn-signal", LOGGED)
        agent = "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
        for name in ("fakes/dnf", agent):
            self.command(name, LOGGED)

    @property
    def bucket(self) -> Path:
        return self.root / "bucket"

    def command(self, name: str, script: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{script}\n")
        path.chmod(0o755)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script in a network, a process tree and mounts of its own, which end with it."""
        path = f"/fakes:{self.python}/bin:/usr/sbin:/usr/bin"
        inside = f"ip link set lo up; exec chroot {self.root} /bin/bash -c 'cd /; {script}'"
        binds = "".join(
            f"mount --rbind {name} {self.root}{name}; "
            for name in {"/usr", "/dev", str(self.python)}
        )
        command = f"set -e; {binds} mount -t proc proc {self.root}/proc; {inside}"
        return subprocess.run(
            [
                "unshare",
                "--mount",
                "--net",
                "--pid",
                "--fork",
                "--kill-child",
                "bash",
                "-c",
                command,
            ],
            env={"PATH": path, "HOME": "/", **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def calls(self) -> list[str]:
        """Return the commands that the fakes logged since the last call."""
        log = self.root / "calls"
        lines = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return lines


@cache
def wheel() -> tuple[str, bytes]:
    """Return the lock line and a tar of a wheel `bentoml`, a fake of the service.

    Its command answers /readyz and /recommend, and writes its arguments and environment to a file.
    """
    info = "bentoml-1.0.dist-info"
    content = {
        "bentoml.py": SERVICE,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: bentoml\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nbentoml = bentoml:main\n",
        f"{info}/RECORD": "",
    }
    wheel_file, tar_file = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(wheel_file, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    with tarfile.open(fileobj=tar_file, mode="w") as tar:
        entry = tarfile.TarInfo("bentoml-1.0-py3-none-any.whl")
        entry.size = len(wheel_file.getvalue())
        tar.addfile(entry, io.BytesIO(wheel_file.getvalue()))
    digest = hashlib.sha256(wheel_file.getvalue()).hexdigest()
    return f"bentoml==1.0 --hash=sha256:{digest}\n", tar_file.getvalue()


def clone(folder: Path) -> Path:
    """Write as much of a clone as `deploy.code` packs."""
    (folder / "deploy").mkdir(parents=True)
    (folder / "bentofile.yaml").write_text("include: [/service.py]\n")
    (folder / "service.py").write_text("x = 1\n")
    for name in ("deploy/restore.sh", "deploy/marquee.service"):
        shutil.copy(ROOT / name, folder / name)
    (folder / code.LOCK).write_text(wheel()[0])
    return folder
