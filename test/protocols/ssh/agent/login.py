"""Logs in with a library and runs one command: `login.py LIBRARY HOST PORT USER HOW SECRET`. Prints what came back."""

import asyncio
import logging
import sys
import warnings

warnings.filterwarnings("ignore")

library, host, port, user, how, secret = sys.argv[1:]
port = int(port)


def with_paramiko():
    import paramiko

    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    proof = {"password": {"password": secret}, "key": {"key_filename": secret}}[how]
    client.connect(host, port, user, allow_agent=False, look_for_keys=False, **proof)
    _, stdout, _ = client.exec_command("hello")
    return stdout.read().decode()


async def with_asyncssh():
    import asyncssh

    proof = {
        "none": {"client_keys": None},
        "password": {"password": secret, "client_keys": None},
        "key": {"client_keys": [secret]},
        "certificate": {"client_keys": [(secret, secret + "-cert.pub")]},
    }[how]
    options = {"known_hosts": None, "username": user, "config": None, "agent_path": None, **proof}
    async with asyncssh.connect(host, port, **options) as connection:
        return (await connection.run("hello")).stdout


try:
    print(with_paramiko() if library == "paramiko" else asyncio.run(with_asyncssh()), end="")
except Exception as error:
    print(f"{type(error).__name__}: {error}", file=sys.stderr)
    sys.exit(1)
