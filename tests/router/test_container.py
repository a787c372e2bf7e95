"""The router's own start in a container, as its image runs it: with this machine's nginx and in a folder of the test's."""

import os
import shutil
import signal
import subprocess
from contextlib import suppress

import pytest

from ratchet.stack.paths import ROOT
from ratchet.stack.services import tool

pytestmark = pytest.mark.stack


@pytest.fixture
def start(tmp_path):
    """Starts the router up to `nginx -t`; returns its status, what it said and the configuration it made."""
    home = tmp_path / "router"
    shutil.copytree(ROOT / "router", home)
    for script in home.glob("*.sh"):
        script.write_text(script.read_text().replace("/router/", f"{home}/"))
    run = tmp_path / "run"
    given = {"BIND": "127.0.0.1", "ROUTER_PORT": "7000", "PRODUCTION": "localhost:1", "CANDIDATE": "localhost:2"}
    given |= {"SALT": "s", "WEIGHTS": str(tmp_path), "PAGES": str(home / "pages"), "RUN": str(run)}

    def starts(**more):
        process = subprocess.Popen(
            ["sh", str(home / "start.sh"), tool("nginx"), "-t", "-p", str(run), "-c", str(run / "nginx.conf")],
            env={"PATH": os.environ["PATH"], **given, **more},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            code = process.wait(timeout=20)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)  # it follows the tracks' addresses for as long as it lives
        with process.stderr:
            said = process.stderr.read()
        made = run / "nginx.conf"
        return code, said, made.read_text() if made.exists() else ""

    return starts


def test_a_container_s_router_knows_the_proxies_it_is_told_of(start):
    code, said, made = start(TRUSTED_PROXIES="10.40.0.0/24, 2001:db8::1")
    assert code == 0, said
    assert "set_real_ip_from 10.40.0.0/24; set_real_ip_from 2001:db8::1;" in made
    code, said, made = start()
    assert code == 0, said
    assert "set_real_ip_from" not in made


@pytest.mark.parametrize("value", ["front.example.org", "10.0.0.1;", "0.0.0.0/0", "10.0.0.0/8,::/0"])
def test_a_container_s_router_refuses_what_is_no_proxy_in_a_line(start, value):
    code, said, _ = start(TRUSTED_PROXIES=value)
    assert (code, said.count("\n")) == (1, 1)
    assert said.startswith("router: TRUSTED_PROXIES: ")
