"""`import marquee` loads nothing heavy; the library's classes are imported on first use."""

import subprocess
import sys

from tests.support.paths import ROOT


def test_library_is_imported_on_first_use() -> None:
    code = (
        "import sys, marquee.core.errors, marquee\n"
        "assert 'onnxruntime' not in sys.modules and 'pydantic' not in sys.modules\n"
        "from marquee import Recommender, RecommendQuery, RequestError\n"
        "assert Recommender.__module__ == 'marquee.recommender.recommender'\n"
        "assert 'onnxruntime' in sys.modules\n"
        "assert not {'torch', 'pandas', 'pyarrow'} & set(sys.modules)\n"
        "assert set(marquee.__all__) <= set(dir(marquee)) and not hasattr(marquee, 'Other')\n"
        "from marquee import *\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, timeout=60)
