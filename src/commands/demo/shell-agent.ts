/** The agent again, with an ordinary SSH library, which knows nothing of the gate either. */
import ssh2 from 'ssh2'
import type { Client } from 'ssh2'
import type { Paint } from '../../config/printout.ts'
import type { HostStep } from './scenes.ts'

/** Lines of one output that are printed. */
const LINES = 8

export type HostSeen =
  | { readonly kind: 'output'; readonly output: string; readonly errors: string; readonly status: number | null }
  | { readonly kind: 'copied' }
  | { readonly kind: 'failed'; readonly error: Error }

/** Trusts exactly the key of the given `known_hosts` line. */
export async function login(port: number, knownHostsLine: string): Promise<Client> {
  const known = Buffer.from(knownHostsLine.trim().split(' ')[2] ?? '', 'base64')
  const client = new ssh2.Client()
  await new Promise<void>((resolve, reject) => {
    client.once('ready', resolve).once('error', reject)
    client.connect({ host: '127.0.0.1', port, username: 'agent', hostVerifier: (key: Buffer) => key.equals(known) })
  })
  client.on('error', () => {})
  return client
}

export async function perform(client: Client, step: HostStep): Promise<HostSeen> {
  return await ('upload' in step ? upload(client, step.upload, step.text) : execute(client, step.command))
}

async function execute(client: Client, command: string): Promise<HostSeen> {
  return await new Promise((resolve) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) return resolve({ kind: 'failed', error })
      let [output, errors, status] = ['', '', null as number | null]
      channel.setEncoding('utf8')
      channel.on('data', (text: string) => (output += text))
      channel.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
      channel.on('exit', (code: number | null) => (status = code))
      channel.on('close', () => resolve({ kind: 'output', output, errors, status }))
      channel.end()
    })
  })
}

async function upload(client: Client, file: string, text: string): Promise<HostSeen> {
  return await new Promise((resolve) => {
    client.sftp((error, sftp) => {
      if (error !== undefined) return resolve({ kind: 'failed', error })
      sftp.writeFile(file, text, (failed) => {
        sftp.end()
        resolve(failed === undefined || failed === null ? { kind: 'copied' } : { kind: 'failed', error: failed })
      })
    })
  })
}

export function describe(seen: HostSeen, paint: Paint): string[] {
  if (seen.kind === 'copied') return [paint.green('copied')]
  if (seen.kind === 'failed') return [paint.red('failed'), seen.error.message]
  const { output, errors, status } = seen
  const lines = `${output}${errors}`.trimEnd().split('\n')
  const rest = lines.length > LINES ? [paint.dim(`… ${lines.length - LINES} more`)] : []
  const ended = `exit status ${status ?? 'none'}`
  return [...lines.slice(0, LINES), ...rest, status === 0 ? paint.green(ended) : paint.red(ended)]
}
