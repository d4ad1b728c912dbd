"""Kept machine code never outlives the sources that it was made from."""

import os
import subprocess
import sys

from spikelab.kernels.freshness import digest_of_imports, drop_outdated

INNER = "from numba import njit\n\n@njit\ndef inner():\n    return {value}\n"
OUTER = "from numba import njit\nfrom inner import inner\n\n@njit(cache=True)\ndef outer():\n    return inner()\n"


def test_a_function_that_took_in_a_changed_one_is_compiled_again(tmp_path):
    environment = {key: value for key, value in os.environ.items() if key != "NUMBA_CACHE_DIR"}

    def result(drop):
        code = "from spikelab.kernels.freshness import drop_outdated; from pathlib import Path\n" if drop else ""
        code += "drop_outdated(Path('.'))\n" if drop else ""
        code += "import sys; sys.path.insert(0, '.')\nfrom outer import outer\nprint(outer())"
        run = [sys.executable, "-c", code]
        return subprocess.run(run, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True).stdout

    (tmp_path / "inner.py").write_text(INNER.format(value=1))
    (tmp_path / "outer.py").write_text(OUTER)
    assert result(drop=True) == "1\n"
    later = (tmp_path / "inner.py").stat().st_mtime + 100
    (tmp_path / "inner.py").write_text(INNER.format(value=22))
    os.utime(tmp_path / "inner.py", (later, later))
    assert result(drop=False) == "1\n", "what Numba does on its own, and why this module is there"
    assert result(drop=True) == "22\n"


def test_what_is_newer_than_all_sources_stays(tmp_path):
    (tmp_path / "a.py").write_text("")
    (tmp_path / "__pycache__").mkdir()
    index = tmp_path / "__pycache__" / "a.f-1.py311.nbi"
    index.write_text("")
    os.utime(tmp_path / "a.py", (1000, 1000))
    drop_outdated(tmp_path)
    assert index.exists()
    drop_outdated(tmp_path / "no such folder")


def test_the_digest_covers_what_is_imported_by_what_is_imported():
    direct = digest_of_imports("from spikelab.kernels.native import claim\n")
    assert direct != digest_of_imports("from spikelab.kernels.threads import run_team\n")
    assert direct != digest_of_imports("import numpy\n")
    assert direct == digest_of_imports("import numpy\nfrom spikelab.kernels.native import table_of\n")
