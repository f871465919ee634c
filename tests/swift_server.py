"""OpenStack Swift as an S3 server in one process, from Debian's packages; it checks signatures.

    /usr/bin/python3 tests/swift_server.py FOLDER      # prints its port, serves until it is ended

Runs in the system's Python, where the packages are (apt-get install swift-proxy swift-account
swift-container swift-object). FOLDER: on a file system with user attributes. It has what S3 had
before 2024: everything but conditional writes, which it answers with 501.
"""

import sys
from array import array
from pathlib import Path

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402
from swift.account.server import AccountController  # noqa: E402
from swift.common import utils  # noqa: E402
from swift.common.ring import RingData  # noqa: E402
from swift.common.wsgi import SwiftHttpProtocol, loadapp  # noqa: E402
from swift.container.server import ContainerController  # noqa: E402
from swift.obj.server import ObjectController  # noqa: E402

PROXY = """
[DEFAULT]
swift_dir = {folder}
[pipeline:main]
pipeline = catch_errors cache s3api tempauth slo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:cache]
use = egg:swift#memcache
memcache_servers = 127.0.0.1:9
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
auth_pipeline_check = false
[filter:tempauth]
use = egg:swift#tempauth
user_test_marquee = secret .admin
[filter:slo]
use = egg:swift#slo
"""
PARTS = {
    "account": AccountController,
    "container": ContainerController,
    "object": ObjectController,
}


def main(folder: Path) -> None:
    """One device, one copy of everything; each server at a port of its own."""
    (folder / "devices" / "one").mkdir(parents=True)
    (folder / "swift.conf").write_text("[swift-hash]\nswift_hash_path_suffix = marquee\n")
    utils.set_swift_dir(str(folder))
    conf = {"devices": str(folder / "devices"), "mount_check": "false", "swift_dir": str(folder)}
    for name, controller in PARTS.items():
        door = eventlet.listen(("127.0.0.1", 0))
        where = {"ip": "127.0.0.1", "port": door.getsockname()[1]}
        device = where | {"id": 0, "zone": 0, "region": 1, "device": "one", "weight": 1.0}
        RingData([array("H", [0])], [device], 32).save(str(folder / f"{name}.ring.gz"))
        eventlet.spawn(serve, door, controller(conf))
    (folder / "proxy-server.conf").write_text(PROXY.format(folder=folder))
    door = eventlet.listen(("127.0.0.1", 0))
    app = loadapp(str(folder / "proxy-server.conf"), global_conf={"log_name": "proxy"})
    print(door.getsockname()[1], flush=True)
    serve(door, app)


def serve(door: object, app: object) -> None:
    log = utils.get_logger({"log_address": "/none"}, "wsgi")
    wsgi.server(
        door, app, log, protocol=SwiftHttpProtocol, capitalize_response_headers=False
    )  # AWS' clients want "ETag", not "Etag"


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
