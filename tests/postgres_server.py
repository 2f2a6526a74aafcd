"""A PostgreSQL server for tests: started in a folder of its own, as an unprivileged user, on a socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path

UNPRIVILEGED = "nobody"
"""Whom the server runs as where tests run as root: PostgreSQL refuses root."""


def programs():
    """The folder with initdb and pg_ctl, the newest there is, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    if found:
        return found[-1].parent
    alone = shutil.which("initdb")
    return Path(alone).parent if alone else None


@contextmanager
def server(binaries):
    """Runs a server for the block; gives what makes a URL of a new, empty database."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    as_user = {}
    if os.geteuid() == 0:
        entry = pwd.getpwnam(UNPRIVILEGED)
        os.chown(folder, entry.pw_uid, entry.pw_gid)
        as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}

    def run(program, *arguments):
        command = [str(binaries / program), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, **as_user)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stdout}{done.stderr}")

    data, log = str(folder / "data"), str(folder / "log")
    try:
        run("initdb", "-D", data, "-U", "tests", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")
        options = f"-c listen_addresses='' -c fsync=off -k {folder}"
        run("pg_ctl", "-D", data, "-l", log, "-o", options, "-w", "-t", "120", "start")
        try:

            def new_database(name):
                run("createdb", "-h", str(folder), "-U", "tests", name)
                return f"postgresql+pg8000://tests:secret@/{name}?unix_sock={folder}/.s.PGSQL.5432"

            yield new_database
        finally:
            run("pg_ctl", "-D", data, "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
