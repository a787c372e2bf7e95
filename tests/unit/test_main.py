import os
import subprocess
import sys

import pytest

from ratchet.__main__ import _parser, main
from ratchet.stack.paths import Home


def test_a_command_whose_library_is_not_installed_says_so_in_one_line():
    """An image holds what its service needs: `ratchet doctor` in a container looks for supervisor, say."""
    script = (
        "import sys; sys.modules['supervisor'] = None; from ratchet.__main__ import main; sys.exit(main(['doctor']))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert (
        done.stderr
        == "ratchet: this needs supervisor, which is not installed here: a container has what its own service needs\n"
    )


@pytest.mark.parametrize(
    "words",
    ["keys list", "keys add somebody", "keys revoke abc", "tidy", "tidy --dry-run", "migrate"],
)
def test_a_database_that_is_away_is_one_clear_line(words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://somebody:hunter2@127.0.0.1:9/ratchet")
    assert main(words.split()) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[-1].startswith("ratchet: ")
    assert told[-1].endswith(" is away: Connection refused")
    assert "hunter2" not in "".join(told)


@pytest.mark.parametrize(
    "words",
    ["docs", "train", "refresh", "evaluate", "drift", "releases", "policy show", "policy replay", "hold --why x"],
)
def test_a_workload_that_is_not_there_is_named_with_those_that_are(words, capsys, monkeypatch, tmp_path):
    """Some asked MLflow for it first, and some sent people to an ingest of it, which there is not either."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert main([*words.split(), "nothing_of_ours"]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "ratchet: no workload `nothing_of_ours`; known: github_activity"


@pytest.mark.parametrize("words", [["keys", "revoke"], ["hold", "--why"], ["ingest", "csv"], ["forecast"], []])
def test_an_argument_that_is_no_text_is_refused_in_one_place(words, capsys):
    """PostgreSQL, files and terminals take no half character: each of them ended in a traceback of its own."""
    with pytest.raises(SystemExit) as refused:
        main([*words, "fl\udcff"])
    assert refused.value.code == 2
    assert r"'fl\udcff' is no text: some of its bytes are no UTF-8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("home", "says"),
    [
        ("{file}/home", "ratchet: {file}/home/gold/github_activity/newest.json: Not a directory"),
        ("~nobody-here/x", "ratchet: `~nobody-here/x`: nobody here is called so, `~/…` is your own home"),
    ],
)
@pytest.mark.parametrize("words", ["train", "backtest", "rehearse"])
def test_a_home_that_cannot_be_is_one_clear_line(words, home, says, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("DATA_HOME", home.format(file=file))
    assert main(words.split()) == 1
    assert capsys.readouterr().err.splitlines()[-1] == says.format(file=file)


@pytest.mark.parametrize("words", ["policy show", "keys list", "doctor", "env"])
def test_a_file_of_settings_that_is_no_text_is_one_clear_line(words, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".env").write_bytes(b"PUBLIC_URL=http://k\xf6ln\n")
    assert main(words.split()) == 1
    said = capsys.readouterr()
    assert ".env cannot be read: it is not UTF-8 (byte 20); save it as UTF-8\n" in said.out + said.err


def test_what_nobody_could_mend_keeps_its_traceback(monkeypatch):
    def broken(_):
        raise ConnectionResetError("by a neighbour")

    monkeypatch.setattr("ratchet.keys_command.list_all", broken)
    with pytest.raises(ConnectionResetError):
        main(["keys", "list"])


@pytest.mark.parametrize("words", ["policy compare --runs 0", "policy compare --seed -1", "traffic --seed -1"])
def test_a_number_that_makes_no_sense_is_refused_by_its_name(words, capsys):
    with pytest.raises(SystemExit) as refused:
        main(words.split())
    assert refused.value.code == 2
    assert "must be a whole number from" in capsys.readouterr().err


def test_a_look_for_drift_is_answered_by_feature_and_without_a_log(tmp_path):
    """The figures stood in the log alone, among a dozen lines about where recent data were not found."""
    found = {"features": {"predictions": "no drift"}, "drifting": [], "confirmed": False, "asks": True, "page": "a"}
    script = (
        "import logging, sys; from ratchet.__main__ import main; from ratchet.loop import Loop\n"
        "def look(*_, **__): logging.getLogger('ratchet.drifting').info('nothing here'); return " + repr(found) + "\n"
        "Loop.look_for_drift = look; sys.exit(main(['drift']))"
    )
    environment = {**os.environ, "DATA_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path, env=environment
    )
    said = ["predictions: no drift", "asks for a candidate: yes", "drifting: -", "confirmed: no", "page: a"]
    assert done.stdout.splitlines() == said
    assert done.stderr == ""


def test_the_policy_in_force_is_a_line_for_each_parameter(capsys, monkeypatch, tmp_path):
    """It was one line of sixteen hundred letters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    monkeypatch.setenv("POLICY", '{"mode": "spec"}')
    assert main(["policy", "show"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("digest: ")
    assert 'mode: "spec"' in lines
    assert "needs_approval: false" in lines


def test_a_registry_that_is_away_is_one_clear_line(tmp_path):
    away = {"DATA_HOME": str(tmp_path), "MLFLOW_TRACKING_URI": "http://127.0.0.1:9"}
    retries = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0"}
    done = subprocess.run(
        [sys.executable, "-m", "ratchet", "releases", "github_activity"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env={**os.environ, **away, **retries},
    )
    said = "ratchet: MLflow at 127.0.0.1:9 is away: Connection refused\n"
    assert (done.returncode, done.stderr) == (1, said)


def test_a_disk_that_takes_no_more_is_one_clear_line(tmp_path):
    """Files may not grow beyond 64 KiB: bronze fits, a warehouse does not."""
    script = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16));"
        "from ratchet.__main__ import main; sys.exit(main(['ingest', 'sample']))"
    )
    environment = {**os.environ, "DATA_HOME": str(tmp_path), "EVENTS": "sample"}
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env=environment,
        cwd=tmp_path,
    )
    assert (done.returncode, "Traceback" in done.stderr) == (1, False)
    told = done.stderr.splitlines()[-1]
    assert told.startswith("ratchet: github_activity: ")
    assert told.endswith("; mend it, then build gold again")
    assert "too large" in told


AS_SOMEBODY_ELSE = """
import os, sys
from ratchet.__main__ import main
from ratchet.stack.paths import Home
from ratchet.stack import commands, doctor, up
os.setgroups([]), os.setgid(65534), os.setuid(65534)
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
@pytest.mark.parametrize("words", ["up", "status", "down", "restart router", "logs router", "clean --yes"])
def test_a_home_of_somebody_elses_is_one_clear_line(tmp_path, words):
    """As after a `make up` by root, and then by a user."""
    home = tmp_path / "home"
    Home(home).prepare()
    for parent in (tmp_path, tmp_path.parent, tmp_path.parent.parent):
        parent.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-c", AS_SOMEBODY_ELSE, *words.split()],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "DATA_HOME": str(home)},
        cwd=tmp_path,
    )
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr[-3000:]
    assert str(home) in done.stderr
    assert "Permission denied" in done.stderr


@pytest.mark.parametrize("words", [("hold", "--why", "a holiday"), ("evaluate",)])
def test_a_user_without_a_name_is_no_riddle(words, capsys, monkeypatch, tmp_path):
    """As a container's that was told to run as another number."""
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 987654)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert main(words) == 1
    assert "ratchet: the journal is away" in capsys.readouterr().err


def test_a_reader_that_goes_away_is_no_fault(tmp_path):
    """As `head` does once it has its lines."""
    with subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys; from ratchet.__main__ import main; input(); sys.exit(main(['policy', 'show']))",
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
    ) as asked:
        asked.stdout.close()
        asked.stdin.write(b"go\n")
        asked.stdin.close()
        assert (asked.stderr.read(), asked.wait(timeout=60)) == (b"", 0)


@pytest.mark.parametrize(
    ("end", "code", "says"),
    [
        (">/dev/full", 1, "ratchet: what it says cannot be written: No space left on device\n"),
        (">&-", 0, ""),
        (">&- 2>&-", 0, ""),
    ],
)
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_an_end_that_takes_nothing_is_no_riddle(tmp_path, end, code, says, unbuffered):
    """A full disk must not look like an answer that is empty; who closed the end wants none."""
    done = subprocess.run(
        ["sh", "-c", f'"$0" -m ratchet policy show {end}', sys.executable],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr, done.stdout) == (code, says, "")


def test_what_is_away_because_all_is_stopped_says_so(capsys, monkeypatch, tmp_path):
    """After `make down` the addresses that were left lead nowhere."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    for name in ("DATABASE_URL", "MLFLOW_TRACKING_URI"):
        monkeypatch.delenv(name, raising=False)
    away = "ratchet: MLflow at 127.0.0.1:9 is away: Connection refused"
    (tmp_path / ".env").write_text("MLFLOW_TRACKING_URI=http://127.0.0.1:9\n")
    assert main(["forecast", "a/b"]) == 1
    assert capsys.readouterr().err == f"{away}\n"
    (tmp_path / "stack.env").touch()
    assert main(["forecast", "a/b"]) == 1
    assert capsys.readouterr().err == f"{away}; Ratchet is stopped. `make up` starts it.\n"


def test_an_experiment_that_there_is_not_is_named(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ratchet.loop.Loop.replay", lambda *_, **__: [])
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    assert main(["policy", "replay", "--experiment", "99"]) == 1
    assert "no experiment 99 of github_activity" in capsys.readouterr().err


def _parsers(parser):
    yield parser
    for action in parser._actions:
        for below in getattr(action, "choices", None) or () if isinstance(action.choices, dict) else ():
            yield from _parsers(action.choices[below])


@pytest.mark.parametrize("parser", list(_parsers(_parser())), ids=lambda parser: parser.prog)
def test_help_says_what_each_command_does_and_what_each_word_is(parser):
    assert parser.description
    unexplained = [
        action.dest for action in parser._actions if not action.help and not isinstance(action.choices, dict)
    ]
    assert unexplained == []
