/** What agents do by ssh2's client, as tests say it. */
import ssh2, { type Client as SshClient, type ClientChannel } from 'ssh2'

/** A library's client, logged in without a proof. */
export async function connectAgent({ port }: { readonly port: number }, user = 'agent'): Promise<SshClient> {
  const client = new ssh2.Client()
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject)
    client.connect({ host: '127.0.0.1', port, username: user, hostVerifier: () => true })
  })
  client.on('error', () => {})
  return client
}

export interface Result {
  readonly stdout: string
  readonly stderr: string
  readonly code: number | null | undefined
  readonly signal: string | undefined
}

/** Runs a line to its end; `input` null leaves its input open. */
export async function exec(client: SshClient, line: string, input: string | Buffer | null = ''): Promise<Result> {
  return await begun(
    (done) => client.exec(line, done),
    (channel) => input !== null && channel.end(input),
  ).ended
}

type Done = (error: Error | undefined, channel: ClientChannel) => void

/** What begins on a channel; it is listened to from the turn in which it was accepted. */
export function begun(
  begin: (done: Done) => void,
  then: (channel: ClientChannel) => void = () => {},
): { readonly channel: Promise<ClientChannel>; readonly ended: Promise<Result> } {
  const channel = Promise.withResolvers<ClientChannel>()
  const ended = Promise.withResolvers<Result>()
  begin((error, opened) => {
    if (error !== undefined) {
      channel.reject(error)
      return ended.reject(error)
    }
    let stdout = ''
    let stderr = ''
    let code: number | null | undefined
    let signal: string | undefined
    opened.on('data', (bytes: Buffer) => (stdout += bytes.toString('latin1')))
    opened.stderr.on('data', (bytes: Buffer) => (stderr += bytes.toString('latin1')))
    opened.on('exit', (status: number | null, name?: string) => {
      code = status
      signal = name
    })
    opened.once('close', () => ended.resolve({ stdout, stderr, code, signal }))
    then(opened)
    channel.resolve(opened)
  })
  channel.promise.catch(() => {})
  return { channel: channel.promise, ended: ended.promise }
}

/** Waits until something is so, for a bounded time. */
export async function eventually(holds: () => boolean, ms = 10_000): Promise<void> {
  for (const deadline = Date.now() + ms; !holds();) {
    if (Date.now() > deadline) throw new Error('it did not come about')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
