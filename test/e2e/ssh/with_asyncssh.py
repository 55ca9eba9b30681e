"""What scripts do with asyncssh: `with_asyncssh.py HOST PORT USER KEY|- KNOWN_HOSTS PLACE`. Prints JSON of what they saw."""

import asyncio
import hashlib
import json
import os
import sys

import asyncssh

MIB = 1024 * 1024


def digest(data):
    return f"{len(data)} bytes, {hashlib.sha256(data).hexdigest()}"


def pattern(size):
    return bytes(range(256)) * (size // 256)


def shown(done):
    out = done.stdout if len(done.stdout) < 1000 else digest(done.stdout)
    out = out.decode("latin1") if isinstance(out, bytes) else out
    return [out, done.stderr.decode("latin1"), done.exit_status, done.exit_signal]


async def commands(connection):
    async def run(command, **options):
        return shown(await connection.run(command, encoding=None, timeout=30, **options))

    async def ended():
        async with connection.create_process("cat; echo after", encoding=None) as process:
            process.stdin.write(b"first\n")
            first = await process.stdout.readline()
            process.stdin.write_eof()
            return [first.decode(), shown(await process.wait())]

    return {
        "status": await run("echo out; echo err >&2; exit 17"),
        "stdin": await run("tr a-z A-Z", input=b"some input\n"),
        "large": await run("cat", input=pattern(2 * MIB)),
        "killed": await run("kill -TERM $$"),
        "segv": (await run("kill -SEGV $$"))[2:],
        "half": await ended(),
        "terminal": await run("stty size", term_type="xterm", term_size=(77, 33)),
        "environment": await run('echo "$LC_TEST"', env={"LC_TEST": "set"}),
        "parallel": await asyncio.gather(*(run(f"cat; exit {n}", input=pattern(MIB // 4)) for n in range(8))),
    }


async def files(connection, place):
    data = pattern(3 * MIB)
    local = os.path.join(place, "local")
    with open(local, "wb") as file:
        file.write(data)
    async with connection.start_sftp_client() as sftp:
        await sftp.chdir(place)
        await sftp.makedirs("there/deep")
        await sftp.chdir("there")
        await sftp.put(local, "up")
        await sftp.get("up", local + "-back")
        with open(local + "-back", "rb") as file:
            back = file.read() == data
        async with sftp.open("text", "w") as file:
            await file.write("line 1\n")
        async with sftp.open("text", "a") as file:
            await file.write("line 2\n")
        async with sftp.open("text") as file:
            lines = await file.read()
        await sftp.rename("text", "renamed")
        await sftp.symlink("renamed", f"{place}/there/link")  # this version takes it as relative to the login directory
        await sftp.link("renamed", "hard")
        await sftp.truncate("hard", 6)
        await sftp.chmod("hard", 0o640)
        await sftp.copy("up", "deep/copied")
        errors = []
        for act in (sftp.stat("absent"), sftp.mkdir("up"), sftp.remove("deep")):
            try:
                await act
            except asyncssh.SFTPError as error:
                errors.append([error.code, error.reason])
        renamed = await sftp.stat("renamed")
        return {
            "back": back,
            "lines": lines,
            "link": (await sftp.readlink("link")).replace(place, "/PLACE"),
            "list": sorted(await sftp.listdir()),
            "renamed": [renamed.size, oct(renamed.permissions), renamed.nlink],
            "copied": (await sftp.stat("deep/copied")).size,
            "real": (await sftp.realpath(".")).replace(place, "/PLACE"),
            "errors": errors,
        }


async def main():
    host, port, user, key, known, place = sys.argv[1:]
    options = {
        "username": user,
        "known_hosts": known,
        "client_keys": None if key == "-" else [key],
        "config": None,
        "agent_path": None,
        "connect_timeout": 20,
        # Keys are made anew while data is on its way.
        "rekey_bytes": MIB,
    }
    async with asyncssh.connect(host, int(port), **options) as connection:
        found = {"commands": await commands(connection), "files": await files(connection, place)}
    json.dump(found, sys.stdout)


asyncio.run(main())
