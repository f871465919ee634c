"""A machine to install on: a root and namespaces of its own, with the tools of EC2 faked.

    machine = Machine(tmp_path)
    machine.bucket / "code/current"       # what `aws s3 cp` finds
    machine.run("bash /restore.sh", BUCKET="b", …)

The host's /usr and Python are seen read-only; /etc, /opt, /var and /run are empty. What would reach
beyond (aws, dnf, systemctl, …) is written down in `calls`; systemctl starts the unit's command.
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
NOTED = 'echo "$(basename "$0") $*" >>/calls'
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
        self.do_GET(503 if "no-recommendation" in os.environ["API_KEYS"] else 200)

    def log_message(self, *_):
        pass

def main():
    with open("/served.json", "w") as file:
        json.dump({"arguments": sys.argv[1:], "environment": dict(os.environ)}, file)
    if "broken" in os.environ["API_KEYS"]:
        sys.exit("marquee: the bundle is damaged")
    HTTPServer(("0.0.0.0", 3000), Answer).serve_forever()
"""


def possible() -> str:
    """Why a machine cannot be made here; empty where it can."""
    if os.geteuid() or not shutil.which("unshare"):
        return "needs root and unshare"
    tried = subprocess.run(["unshare", "-mnpf", "true"], capture_output=True, text=True)
    return f"no namespaces here: {tried.stderr.strip()}" if tried.returncode else ""


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
        for name, does in (("aws", AWS), ("systemctl", SYSTEMCTL), ("sleep", NO_SLEEP)):
            self.command(f"fakes/{name}", does)
        self.command("opt/aws/bin/cfn-signal", NOTED)
        agent = "opt/aws/amazon-cloudwatch-agent/bin/amazon-cloudwatch-agent-ctl"
        for noted in ("fakes/dnf", agent):
            self.command(noted, NOTED)

    @property
    def bucket(self) -> Path:
        return self.root / "bucket"

    def command(self, name: str, does: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"#!/bin/bash\n{does}\n")
        path.chmod(0o755)

    def run(self, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """In a network, a process tree and mounts of its own, which end with it."""
        path = f"/fakes:{self.python}/bin:/usr/sbin:/usr/bin"
        inside = f"ip link set lo up; exec chroot {self.root} /bin/bash -c 'cd /; {script}'"
        binds = "".join(
            f"mount --rbind {name} {self.root}{name}; "
            for name in {"/usr", "/dev", str(self.python)}
        )
        made = f"set -e; {binds} mount -t proc proc {self.root}/proc; {inside}"
        return subprocess.run(
            ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "bash", "-c", made],
            env={"PATH": path, "HOME": "/", **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def calls(self) -> list[str]:
        """What was asked of the fakes since the last look."""
        noted = self.root / "calls"
        said = noted.read_text().splitlines() if noted.exists() else []
        noted.unlink(missing_ok=True)
        return said


@cache
def wheel() -> tuple[str, bytes]:
    """A package `bentoml` whose command answers /readyz and /recommend, after it wrote down how it
    was called: the line of a lock, and a tar with the wheel."""
    info = "bentoml-1.0.dist-info"
    content = {
        "bentoml.py": SERVICE,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: bentoml\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nbentoml = bentoml:main\n",
        f"{info}/RECORD": "",
    }
    made, packed = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    with tarfile.open(fileobj=packed, mode="w") as tar:
        entry = tarfile.TarInfo("bentoml-1.0-py3-none-any.whl")
        entry.size = len(made.getvalue())
        tar.addfile(entry, io.BytesIO(made.getvalue()))
    digest = hashlib.sha256(made.getvalue()).hexdigest()
    return f"bentoml==1.0 --hash=sha256:{digest}\n", packed.getvalue()


def clone(folder: Path) -> Path:
    """As much of a clone as the code of machines is made of."""
    (folder / "deploy").mkdir(parents=True)
    (folder / "bentofile.yaml").write_text("include: [/service.py]\n")
    (folder / "service.py").write_text("x = 1\n")
    for name in ("deploy/restore.sh", "deploy/marquee.service"):
        shutil.copy(ROOT / name, folder / name)
    (folder / code.LOCK).write_text(wheel()[0])
    return folder
