"""Files of debug information from servers: from one that works, and from all kinds that do not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cpp import build_cpp

if TYPE_CHECKING:
    from collections.abc import Iterator

# In a process of its own: what a server has cost is remembered for the life of a process.
CLIENT = """
import sys, time
from libdebug import debugger, libcontext
libcontext.sym_lvl = int(sys.argv[2])
d = debugger(sys.argv[1])
d.run(redirect_pipes=False)
began = time.perf_counter()
for name in ("shape::area", "no_such_symbol", "no_such_either"):
    try:
        print(name, d.resolve_symbol(name, "hybrid") > 0)
    except ValueError:
        print(name, False)
print("listed", any(symbol.is_external for symbol in d.symbols.filter("shape::area")))
print("seconds", time.perf_counter() - began)
d.terminate()
"""


class Stripped:
    """A program without symbols, and the file that has them."""

    def __init__(self, directory: Path) -> None:
        self.program = Path(build_cpp(directory, "-g", "-Wl,--build-id"))
        self.debug = directory / "separate.debug"
        subprocess.run(["objcopy", "--only-keep-debug", self.program, self.debug], check=True)
        subprocess.run(["strip", self.program], check=True)
        self.cache = directory / "cache"
        notes = subprocess.run(["readelf", "-n", self.program], check=True, capture_output=True, text=True)
        self.build_id = notes.stdout.split("Build ID: ")[1].split()[0]

    def ask(self, url: str | None, level: int = 5, **variables: str) -> dict[str, str]:
        """Return what a script prints that looks for symbols, line by line."""
        env = {name: value for name, value in os.environ.items() if not name.startswith("DEBUGINFOD")}
        env |= {"XDG_CACHE_HOME": str(self.cache), **variables}
        if url is not None:
            env["DEBUGINFOD_URLS"] = url
        done = subprocess.run(
            [sys.executable, "-c", CLIENT, self.program, str(level)],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return dict(line.rsplit(" ", 1) for line in done.stdout.splitlines())

    @property
    def kept(self) -> Path:
        """The file that the cache has for the program."""
        return self.cache / "debuginfod_client" / self.build_id / "debuginfo"


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("debuginfod")


@pytest.fixture
def stripped(tmp_path: Path) -> Stripped:
    return Stripped(tmp_path)


@contextmanager
def serving(answers: dict[str, bytes]) -> Iterator[tuple[str, list[str]]]:
    """Give the URL of a server that has these paths, and the list of those that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = answers.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_request(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def listening() -> Iterator[str]:
    """Give the URL of a server that takes connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen(64)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def test_a_server_is_asked_once_and_its_answer_is_kept(stripped: Stripped) -> None:
    path = f"/buildid/{stripped.build_id}/debuginfo"
    with serving({path: stripped.debug.read_bytes()}) as (url, asked):
        found = stripped.ask(url)
        assert (found["shape::area"], found["no_such_symbol"], found["listed"]) == ("True", "False", "True")
        assert asked.count(path) == 1
        assert stripped.kept.read_bytes() == stripped.debug.read_bytes()
        again = stripped.ask(url)
        assert (again["shape::area"], asked.count(path)) == ("True", 1)
    assert list(stripped.kept.parent.iterdir()) == [stripped.kept]


def test_that_no_server_has_a_file_is_remembered(stripped: Stripped) -> None:
    with serving({}) as (url, asked):
        assert stripped.ask(url)["shape::area"] == "False"
        first = list(asked)
        assert len(first) == len(set(first)) > 0
        assert stripped.kept.read_bytes() == b""
        assert stripped.ask(url)["shape::area"] == "False"
        assert asked == first


@pytest.mark.parametrize("level", [1, 4])
def test_nobody_is_asked_below_level_five(stripped: Stripped, level: int) -> None:
    with serving({}) as (url, asked):
        assert stripped.ask(url, level)["shape::area"] == "False"
        assert asked == []
    assert not stripped.cache.exists()


def test_nobody_is_asked_unless_the_environment_says_so(stripped: Stripped) -> None:
    assert stripped.ask(None)["shape::area"] == "False"
    assert not stripped.cache.exists()


def test_a_server_that_hangs_costs_a_second_in_all(stripped: Stripped) -> None:
    with listening() as url:
        found = stripped.ask(f"{url} {url}")
    assert found["shape::area"] == "False"
    assert 0.5 < float(found["seconds"]) < 2
    assert not stripped.kept.exists()


def test_a_server_that_is_not_there_costs_nothing(stripped: Stripped) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        found = stripped.ask(f"{url} http://no-such-host.invalid {url}")
    assert found["shape::area"] == "False"
    assert float(found["seconds"]) < 2
    assert not stripped.kept.exists()


def test_a_file_of_another_program_is_not_taken(stripped: Stripped, built: Path) -> None:
    other = Path(build_cpp(built, "-g", "-Wl,--build-id=0x1234", name="other"))
    path = f"/buildid/{stripped.build_id}/debuginfo"
    with serving({path: other.read_bytes()}) as (url, _):
        assert stripped.ask(url)["shape::area"] == "False"


def test_another_directory_of_the_cache(stripped: Stripped, tmp_path: Path) -> None:
    path = f"/buildid/{stripped.build_id}/debuginfo"
    elsewhere = tmp_path / "elsewhere"
    with serving({path: stripped.debug.read_bytes()}) as (url, _):
        found = stripped.ask(url, DEBUGINFOD_CACHE_PATH=str(elsewhere))
    assert found["shape::area"] == "True"
    assert (elsewhere / stripped.build_id / "debuginfo").exists()
    assert not stripped.cache.exists()
