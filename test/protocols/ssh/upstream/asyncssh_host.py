"""A host that is not OpenSSH: asyncssh with a certificate of its own, and an authority for its users."""

import asyncio
import sys

import asyncssh

host_key, host_certificate, authority = sys.argv[1:]


class Host(asyncssh.SSHServer):
    def begin_auth(self, username):
        return True

    def password_auth_supported(self):
        return True

    def validate_password(self, username, password):
        return (username, password) == ("deploy", "open sesame")


async def main():
    server = await asyncssh.listen(
        "127.0.0.1",
        0,
        server_factory=Host,
        server_host_keys=[(host_key, host_certificate)],
        authorized_client_keys=asyncssh.import_authorized_keys(
            f"cert-authority {open(authority).read()}"
        ),
        process_factory=lambda process: (
            process.stdout.write(f"{process.command} for {process.get_extra_info('username')}"),
            process.exit(0),
        ),
        rekey_bytes=100_000,
    )
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.wait_closed()


asyncio.run(main())
