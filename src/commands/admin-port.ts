/** Asks the running sidecar, at its admin port, with the token that its configuration names. */
import { randomBytes } from 'node:crypto'
import { type Command, InvalidArgumentError } from 'commander'
import { loadAdmin } from '../config/load.ts'
import { address, formatAddress } from '../config/values.ts'
import { readSecret } from '../credentials/secret.ts'
import { isProof } from './run/proof.ts'

/** The admin port is on this machine: what does not answer by then is stuck. */
const PATIENCE = 5_000

/** Where the port is, and the file of its token. */
export interface Admin {
  readonly listen: { readonly host: string; readonly port: number }
  readonly tokenFile: string
}

/** The options of a command that asks: the configuration, or both of the others. */
export interface AdminOptions {
  readonly config: string
  readonly admin?: string
  readonly tokenFile?: string
}

export function withAdmin(command: Command): Command {
  return command
    .option('-c, --config <file>', 'the configuration that the sidecar runs with', 'sidegate.yaml')
    .option('--admin <address>', 'the admin port, in place of the configured one', addressIn)
    .option('--token-file <file>', "the admin port's token, in place of the configured one")
}

function addressIn(text: string): string {
  if (address.safeParse(text).success) return text
  throw new InvalidArgumentError('It is host:port, such as 127.0.0.1:15020.')
}

export function adminOf({ config, admin, tokenFile }: AdminOptions): Admin {
  if (admin !== undefined && tokenFile !== undefined) return { listen: address.parse(admin), tokenFile }
  const configured = loadAdmin(config)
  if (configured === undefined) {
    throw new Error(`${config} configures no admin port: add admin.listen and admin.tokenFile`)
  }
  return {
    listen: admin === undefined ? configured.listen : address.parse(admin),
    tokenFile: tokenFile ?? configured.tokenFile,
  }
}

/** What it answers, parsed. With a body, it is a POST. Fails with what an operator can do about it. */
export async function askAdmin({ listen, tokenFile }: Admin, path: string, body?: unknown): Promise<unknown> {
  const origin = `http://${formatAddress(listen)}`
  const url = `${origin}${path}`
  const token = await readSecret(tokenFile)
  const nonce = randomBytes(32).toString('hex')
  const answer = await ask(`${origin}/proof?nonce=${nonce}`, {})
  if (!isProof(await proofIn(answer), token, nonce)) {
    throw new Error(`whoever answers at ${origin} does not hold the token in ${tokenFile}, which was not sent there`)
  }
  const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }
  const response = await ask(url, { headers: { authorization: `Bearer ${token}` }, ...sent })
  if (response.ok) return await response.json()
  if (response.status === 401) throw new Error(`the sidecar at ${url} does not accept the token in ${tokenFile}`)
  if (response.status === 503) throw new Error(`the sidecar at ${url} is still starting`)
  throw new Error((await errorIn(response)) ?? `${url} answered ${response.status}`)
}

async function ask(url: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(url, { signal: AbortSignal.timeout(PATIENCE), redirect: 'error', ...init })
  } catch (error) {
    throw new Error(`no sidecar answers at ${new URL(url).origin}`, { cause: error })
  }
}

async function proofIn(response: Response): Promise<unknown> {
  try {
    const answer: unknown = await response.json()
    return typeof answer === 'object' && answer !== null && 'proof' in answer ? answer.proof : null
  } catch {
    return null
  }
}

async function errorIn(response: Response): Promise<string | null> {
  try {
    const answer: unknown = await response.json()
    const found = typeof answer === 'object' && answer !== null && 'error' in answer ? answer.error : null
    return typeof found === 'string' ? found : null
  } catch {
    return null
  }
}
