"""What Streamlit changes in the process that tests its pages is put back, and expressions are asked of promtool."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _same_main() -> Iterator[None]:
    """A page under test becomes `__main__`; a process that is spawned later would run it."""
    main = sys.modules["__main__"]
    yield
    sys.modules["__main__"] = main


@pytest.fixture
def promtool(tmp_path: Path) -> Callable[..., None]:
    """Require what an expression says of series, a value a minute each, after a time."""
    if shutil.which("promtool") is None:
        pytest.skip("tools/install run brings promtool")

    def require(series: Mapping[str, str], asked: str, expected: Mapping[str, float], *, at: str) -> None:
        given = [{"series": name, "values": values} for name, values in series.items()]
        samples = [{"labels": labels, "value": value} for labels, value in expected.items()]
        test = {
            "interval": "1m",
            "input_series": given,
            "promql_expr_test": [{"expr": asked, "eval_time": at, "exp_samples": samples}],
        }
        (tmp_path / "test.yml").write_text(json.dumps({"evaluation_interval": "1m", "tests": [test]}))  # JSON is YAML
        done = subprocess.run(
            ["promtool", "test", "rules", "test.yml"], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return require
