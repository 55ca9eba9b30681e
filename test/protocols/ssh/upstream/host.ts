/** Hosts in this process, for what sshd does not do: to ask for passwords without PAM, and to break the protocol. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ssh2, { type AuthContext, type Connection, type ServerChannel } from 'ssh2'
import { makeSshKey } from '../../../support/ssh-keys.ts'
import { directory, targetOf } from './dialing.ts'

/** The key of all of these. */
export const hostKey = await makeSshKey(join(directory, 'host-in-process'))

export interface HostOptions {
  readonly authenticate: (context: AuthContext) => void
  /** Before the first byte. `inside` is ssh2's Protocol. */
  readonly connected?: (connection: Connection, inside: Record<string, unknown>) => void
  readonly exec?: (channel: ServerChannel, command: string) => void
  readonly banner?: string
  readonly greeting?: string
  readonly ident?: string
}

export interface Host {
  readonly port: number
  readonly connections: Connection[]
  close(): void
}

export async function startHost(options: HostOptions): Promise<Host> {
  const { banner, greeting, ident } = options
  const connections: Connection[] = []
  const server = new ssh2.Server(
    {
      hostKeys: [readFileSync(hostKey.file)],
      ...(banner === undefined ? {} : { banner }),
      ...(greeting === undefined ? {} : { greeting }),
      ...(ident === undefined ? {} : { ident }),
    },
    (connection) => {
      connections.push(connection)
      options.connected?.(connection, insideOf(connection))
      connection
        .on('error', () => {})
        .on('authentication', options.authenticate)
        .on('session', (accept) => {
          accept().on('exec', (accept, _reject, { command }) => {
            const channel = accept()
            if (options.exec !== undefined) return options.exec(channel, command)
            channel.end(`ran ${command}`)
          })
        })
    },
  )
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve())
  })
  const address = server.address()
  return {
    port: address !== null && typeof address === 'object' ? address.port : 0,
    connections,
    close: () => {
      for (const connection of connections) socketOf(connection).destroy()
      server.close()
    },
  }
}

/** ssh2's Protocol of a connection. */
export function insideOf(connection: Connection): Record<string, unknown> {
  return (connection as unknown as { readonly _protocol: Record<string, unknown> })._protocol
}

function socketOf(connection: Connection): { destroy(): void } {
  return (connection as unknown as { readonly _sock: { destroy(): void } })._sock
}

/** A target with that host, whose key is pinned. */
export function targetAt(
  { port }: Pick<Host, 'port'>,
  credential: Record<string, unknown> = {},
  limits: Record<string, unknown> = {},
) {
  const upstream = { host: '127.0.0.1', port, hostKeys: [hostKey.line] }
  return targetOf({ upstream, credential: { user: 'deploy', ...credential }, limits })
}
