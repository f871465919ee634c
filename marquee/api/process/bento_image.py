"""The image that `bentoml build` describes: its base, and the installer of its packages.

Both are pinned by hash here, the packages in requirements-serving.lock. By the settings of
bentofile.yaml uv takes finished wheels alone. So nothing is compiled, and the compilers and git
that BentoML adds to Debian (`distro`) are left out.
"""

import os

from bentoml.images import Image

LOCK = "requirements-serving.lock"
BASE = (
    "python:3.11.17-slim-bookworm"
    "@sha256:0a310eeecf4e1f5a0743f9a6520c90c88d089c903ca5fd283f501e3a805f5f89"
)
UV = (
    "uv==0.13.9",
    "sha256:d7f459fe4fd247d830351c75686d3996ace3c6f3f728eb0e85a30b7ada0cef19",  # x86_64
    "sha256:ecb6028d79dc96fbeafffe5c8af62a7099487ebc05a701e76714eebcffd06375",  # aarch64
)


def image() -> Image:
    """Describe the image; BASE_IMAGE names another base, Python 3.11 with pip."""
    base = os.environ.get("BASE_IMAGE") or BASE
    described = Image(base_image=base, distro="as it is", python_version="3.11")
    pinned = " --hash=".join(UV)
    described.run(
        f"echo '{pinned}' > /tmp/uv.txt"
        " && pip install --no-cache-dir --root-user-action=ignore --require-hashes -r /tmp/uv.txt"
    )
    described.run("install -d -o bentoml -g bentoml /events /releases")  # also as volumes
    described.build_include(LOCK)  # as a constraint, too: BentoML adds its own name without a hash
    return described
