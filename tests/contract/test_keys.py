"""API keys against a real PostgreSQL, and without it."""

import logging
import os
import stat
import subprocess
import sys
import threading
import time

import psycopg2
import pytest

from ratchet.__main__ import main
from ratchet.contracts.errors import NotReadyError, RatchetError
from ratchet.serve.keys import LIMITS, KeyStore, add_key, list_keys, revoke_key

NOWHERE = "postgresql://nobody@127.0.0.1:1/none"


@pytest.fixture
def cache_file(tmp_path):
    return tmp_path / "cache" / "keys.json"


@pytest.fixture
def store(postgres, cache_file):
    return KeyStore(postgres, cache_file=cache_file)


def test_a_key_is_known_by_its_holder_and_scopes(postgres, store):
    key = add_key(postgres, "a user", ["predict"])
    store.refresh()
    holder = store.holder(key)
    assert key.startswith("rk_")
    assert (holder.name, holder.scopes) == ("a user", {"predict"})


def test_no_other_string_is_a_key(postgres, store):
    key = add_key(postgres, "a user", ["predict", "operate"])
    other = add_key(postgres, "another", ["predict"])
    store.refresh()
    head, secret = key.rsplit("_", 1) if key.count("_") == 2 else (key[:16], key[16:])
    mixed = key[:16] + other[16:]
    for wrong in (
        "",
        "rk_",
        head,
        secret,
        key[:-1],
        key + "x",
        key.swapcase(),
        mixed,
        "ö" + key,
        key.replace("rk_", "xx_"),
    ):
        assert store.holder(wrong) is None, wrong


def test_the_key_itself_is_kept_nowhere(postgres, store, cache_file):
    key = add_key(postgres, "a user", ["predict"])
    store.refresh()
    with psycopg2.connect(postgres) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(k::text, '') FROM api_keys k")
        [(everything,)] = cursor.fetchall()
    connection.close()
    secret = key[16:]
    assert secret not in everything
    assert secret not in cache_file.read_text()


def test_revoking_what_is_no_key_is_an_error(postgres, monkeypatch, tmp_path, capsys):
    """Who mistypes an id must not believe that the key has ended."""
    monkeypatch.setenv("DATABASE_URL", postgres)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    key_id = add_key(postgres, "to be revoked", ["predict"]).split("_")[1]
    assert main(["keys", "revoke", key_id[:-1]]) == 1
    assert capsys.readouterr().err.endswith(f"no key that is valid has the id {key_id[:-1]}: see `ratchet keys list`\n")
    assert main(["keys", "revoke", key_id]) == 0
    capsys.readouterr()
    assert main(["keys", "list"]) == 0
    heading, *rows = capsys.readouterr().out.splitlines()
    assert heading.split() == ["id", "name", "scopes", "made", "revoked"]
    [listed] = [row for row in rows if row.startswith(key_id)]
    assert listed.split()[1:5] == ["to", "be", "revoked", "predict"]
    assert len(listed.split()) == 9, "when it was made and when it was revoked"
    assert main(["keys", "add", " "]) == 1


def test_a_key_that_leaked_is_revoked_as_it_was_found_and_not_repeated(postgres, store, monkeypatch, tmp_path, capsys):
    """Who has the key alone is in a hurry: what it says must not read as if the key were none."""
    monkeypatch.setenv("DATABASE_URL", postgres)
    monkeypatch.setenv("DATA_HOME", str(tmp_path))
    key = add_key(postgres, "leaked", ["predict"])
    assert main(["keys", "revoke", f" {key} "]) == 0
    assert main(["keys", "revoke", key]) == 1
    store.refresh()
    assert store.holder(key) is None
    said = capsys.readouterr()
    assert key[16:] not in said.out + said.err


def test_a_list_is_shown_by_a_terminal_that_knows_few_letters(postgres, tmp_path):
    """One name in it must not keep all others from whoever has to revoke a key."""
    add_key(postgres, "Zoë", ["predict"])
    done = subprocess.run(
        [sys.executable, "-m", "ratchet", "keys", "list"],
        capture_output=True,
        check=False,
        timeout=60,
        env={**os.environ, "DATABASE_URL": postgres, "DATA_HOME": str(tmp_path), "PYTHONIOENCODING": "ascii"},
        cwd=tmp_path,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert rb"Zo\xeb" in done.stdout


def test_a_revoked_key_ends_and_stays_listed(postgres, store):
    key = add_key(postgres, "to be revoked", ["predict"])
    store.refresh()
    key_id = store.holder(key).key_id
    assert revoke_key(postgres, key_id)
    assert not revoke_key(postgres, key_id)
    assert not revoke_key(postgres, "no such key")
    store.refresh()
    assert store.holder(key) is None
    [row] = [row for row in list_keys(postgres) if row.key_id == key_id]
    assert row.revoked_at is not None


@pytest.mark.parametrize("scopes", [[], ["admin"], ["predict", "admin"]])
def test_only_known_scopes_exist(postgres, scopes):
    with pytest.raises(RatchetError, match="operate, predict"):
        add_key(postgres, "nobody", scopes)


@pytest.mark.parametrize("name", ["", "  ", "two\nlines", "\x1b[31mred", "half a \udcff", "x" * 201])
def test_a_name_is_one_line_that_a_list_can_show(postgres, name):
    with pytest.raises(RatchetError, match="needs a name"):
        add_key(postgres, name, ["predict"])


def test_a_restart_without_the_database_still_knows_the_keys(postgres, store, cache_file, caplog):
    key = add_key(postgres, "a user", ["predict"])
    store.refresh()
    restarted = KeyStore(NOWHERE, cache_file=cache_file)
    with caplog.at_level(logging.WARNING):
        restarted.refresh()
        restarted.refresh()
    assert restarted.holder(key).name == "a user"
    assert sum("is away" in line for line in caplog.messages) == 1


def test_no_part_of_a_password_that_spoils_its_address_is_logged(cache_file, caplog):
    KeyStore("postgresql://me:pass/word@nowhere/x", cache_file=cache_file).refresh()
    assert "is away" in caplog.text
    assert ("pass" in caplog.text, "word" in caplog.text) == (False, False)


def test_a_revocation_that_could_not_be_written_down_is_written_later(postgres, store, cache_file, caplog):
    key = add_key(postgres, "to be revoked", ["predict"])
    store.refresh()
    revoke_key(postgres, store.holder(key).key_id)
    away = cache_file.parent.rename(cache_file.parent.with_name("away"))
    cache_file.parent.write_text("nothing can be written here")
    for _ in range(3):
        store.refresh()
        assert store.holder(key) is None
    assert sum("next start" in line for line in caplog.messages) == 1
    cache_file.parent.unlink()
    away.rename(cache_file.parent)
    store.refresh()
    assert KeyStore(NOWHERE, cache_file=cache_file).holder(key) is None


def test_a_table_that_somebody_holds_is_not_waited_for(postgres, store, monkeypatch):
    monkeypatch.setitem(LIMITS, "statement_seconds", 1)
    store.refresh()
    key = add_key(postgres, "made before", ["predict"])
    holding = psycopg2.connect(postgres)
    try:
        holding.cursor().execute("LOCK TABLE api_keys")
        store.refresh()
    finally:
        holding.close()
    assert store.holder(key) is None
    store.refresh()
    assert store.holder(key).name == "made before"


def test_before_any_list_was_seen_nobody_can_say(cache_file):
    store = KeyStore(NOWHERE, cache_file=cache_file)
    store.refresh()
    with pytest.raises(NotReadyError):
        store.holder("rk_x_y")


@pytest.mark.parametrize("content", [b"", b"[", b"{}x", b'[{"key_id": 1}]', b"[1]"])
def test_a_spoilt_cache_is_none(cache_file, content):
    cache_file.parent.mkdir()
    cache_file.write_bytes(content)
    with pytest.raises(NotReadyError):
        KeyStore(NOWHERE, cache_file=cache_file).holder("rk_x_y")


def test_only_the_owner_may_read_the_cache(postgres, store, cache_file):
    add_key(postgres, "a user", ["predict"])
    store.refresh()
    assert stat.S_IMODE(cache_file.stat().st_mode) == 0o600


def test_a_new_key_is_known_within_moments(postgres, store):
    stop = threading.Event()
    thread = threading.Thread(target=store.run, args=(stop,), kwargs={"poll_seconds": 0.05})
    thread.start()
    time.sleep(0.1)
    key = add_key(postgres, "late", ["predict"])
    deadline = time.monotonic() + 5
    while store.holder(key) is None and time.monotonic() < deadline:
        time.sleep(0.02)
    stop.set()
    thread.join()
    assert store.holder(key).name == "late"
