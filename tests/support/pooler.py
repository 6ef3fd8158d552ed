"""PgBouncer in front of the server of a test."""

import contextlib
import os
import shutil
import socket
import subprocess
from collections.abc import Iterator

import pytest

from postgres_server import Server

_INI = """[databases]
* = host={server.folder} port=5432
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {users}
pool_mode = {mode}
default_pool_size = {size}
"""


@contextlib.contextmanager
def pooler(server: Server, url: str, mode: str, size: int = 20) -> Iterator[str]:
    """PgBouncer in this ``mode``, with ``size`` sessions; gives its address for the database at ``url``."""
    program = shutil.which("pgbouncer", path="/usr/sbin:/usr/bin")
    if program is None:
        pytest.skip("PgBouncer is not installed: make packages, as root")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    own = server.folder / f"pooler{port}"  # it is refused as root, and others may not look into a folder of ours
    own.mkdir()
    users, configuration = own / "users.txt", own / "pgbouncer.ini"
    users.write_text('"postgres" ""\n')
    configuration.write_text(_INI.format(server=server, port=port, users=users, mode=mode, size=size))
    command = [program, *(["-u", server.user] if os.geteuid() == 0 else []), str(configuration)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "process up" in line:
                break
        name = url.partition("?")[0].rpartition("/")[2]
        yield f"postgresql://postgres@127.0.0.1:{port}/{name}"
        process.kill()
        process.stderr.read()
    shutil.rmtree(own)
