"""What scripts do with paramiko: `with_paramiko.py HOST PORT USER KEY|- KNOWN_HOSTS PLACE`. Prints JSON of what they saw."""

import hashlib
import json
import logging
import os
import sys
import threading
import warnings

warnings.filterwarnings("ignore")
import paramiko  # noqa: E402

logging.getLogger("paramiko").setLevel(logging.CRITICAL)
MIB = 1024 * 1024


def digest(data):
    return f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()}"


def pattern(size):
    return bytes(range(256)) * (size // 256)


class Unproven(paramiko.SSHClient):
    """Takes a server that asks for no proof."""

    def _auth(self, username, *_):
        self._transport.auth_none(username)


def connect(host, port, user, key, known):
    client = Unproven() if key == "-" else paramiko.SSHClient()
    client.load_host_keys(known)
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.connect(
        host,
        port,
        user,
        key_filename=None if key == "-" else key,
        allow_agent=False,
        look_for_keys=False,
        timeout=20,
    )
    return client


def execute(client, command, data=None, **options):
    stdin, stdout, stderr = client.exec_command(command, timeout=30, **options)
    if data is not None:
        stdin.write(data)
    stdin.channel.shutdown_write()
    return [stdout.read(), stderr.read(), stdout.channel.recv_exit_status()]


def shown(result):
    out, err, status = result
    return [out.decode("latin1") if len(out) < 1000 else digest(out), err.decode("latin1"), status]


def commands(client):
    found = {
        "status": shown(execute(client, "echo out; echo err >&2; exit 17")),
        "stdin": shown(execute(client, "tr a-z A-Z", b"some input\n")),
        "large": shown(execute(client, "cat", pattern(2 * MIB))),
        "signal": shown(execute(client, "kill -KILL $$")),
        "terminal": shown(execute(client, "stty size", get_pty=True)),
        "environment": shown(execute(client, 'echo "$LC_TEST"', environment={"LC_TEST": "set"})),
        "absent": shown(execute(client, "no-such-command-at-all"))[2],
    }
    results = [None] * 6

    def one(index):
        results[index] = shown(execute(client, f"cat; exit {index}", pattern(256 * 1024)))

    threads = [threading.Thread(target=one, args=(index,)) for index in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {**found, "parallel": results}


def files(client, place):
    sftp = client.open_sftp()
    data = pattern(3 * MIB)
    local = os.path.join(place, "local")
    with open(local, "wb") as file:
        file.write(data)
    sftp.chdir(place)
    sftp.mkdir("there")
    sftp.chdir("there")
    size = sftp.put(local, "up").st_size
    sftp.get("up", local + "-back")
    with open(local + "-back", "rb") as file:
        back = file.read() == data
    with sftp.open("text", "w") as file:
        file.write("line 1\nline 2\n")
    with sftp.open("text", "a") as file:
        file.write("line 3\n")
    with sftp.open("text", "r+") as file:
        file.seek(5)
        file.write("X")
        file.flush()
        file.seek(0)
        lines = file.read().decode()
    with sftp.open("up", "rb") as file:
        pieces = [digest(piece) for piece in file.readv([(0, 100), (MIB, 50_000), (3 * MIB - 10, 10)])]
    sftp.rename("text", "renamed")
    sftp.posix_rename("renamed", "again")
    sftp.symlink("again", "link")
    sftp.chmod("again", 0o600)
    sftp.truncate("again", 6)
    sftp.utime("again", (1_000_000_000, 1_000_000_000))
    errors = []
    for act in (lambda: sftp.stat("absent"), lambda: sftp.rmdir(".."), lambda: sftp.mkdir("up")):
        try:
            act()
        except IOError as error:
            errors.append([error.errno, str(error)])
    again = sftp.stat("again")
    found = {
        "size": size,
        "back": back,
        "lines": lines,
        "pieces": pieces,
        "link": sftp.readlink("link"),
        "list": sorted(sftp.listdir()),
        "again": [again.st_size, oct(again.st_mode), again.st_mtime],
        "real": sftp.normalize(".").replace(place, "/PLACE"),
        "errors": errors,
    }
    sftp.remove("link")
    sftp.close()
    return found


def rekeyed(client):
    """Keys are made anew before there is any channel: with one, this version waits for itself now and then."""
    client.get_transport().renegotiate_keys()
    return shown(execute(client, "cat", pattern(MIB)))


def main():
    host, port, user, key, known, place = sys.argv[1:]
    client = connect(host, int(port), user, key, known)
    found = {"rekeyed": rekeyed(client), "commands": commands(client), "files": files(client, place)}
    client.close()
    json.dump(found, sys.stdout)


main()
