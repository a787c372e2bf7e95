"""Templates: ours are filled in, other programs' own variables are left alone."""

import subprocess

import pytest

from ratchet.contracts.errors import RatchetError
from ratchet.stack import templates
from ratchet.stack.services import tool


def test_only_names_in_braces_are_filled_in(tmp_path):
    (tmp_path / "in").write_text("listen ${PORT}; set $uri ${PORT};")
    templates.render(tmp_path / "in", {"PORT": "7"}, tmp_path / "out")
    assert (tmp_path / "out").read_text() == "listen 7; set $uri 7;"


def test_a_name_without_a_value_is_an_error_that_names_it(tmp_path):
    (tmp_path / "in").write_text("${PORT} ${SALT}")
    with pytest.raises(RatchetError, match="in needs SALT"):
        templates.render(tmp_path / "in", {"PORT": "7"}, tmp_path / "out")


def test_prometheus_accepts_what_the_template_makes(make_stack):
    stack = make_stack()
    stack.write_configuration()
    subprocess.run(
        [tool("promtool"), "check", "config", str(stack.home.run / "prometheus.yml")], check=True, capture_output=True
    )


def test_the_salt_of_the_split_is_for_nobody_else_to_read_not_even_where_an_earlier_version_left_it(make_stack):
    stack = make_stack()
    written = stack.home.run / "router" / "nginx.conf"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.touch(mode=0o644)
    stack.write_configuration()
    assert stack.secrets.split_salt in written.read_text()
    assert written.stat().st_mode & 0o077 == 0
