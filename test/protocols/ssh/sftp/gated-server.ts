/**
 * `node gated-server.ts FORBIDDEN TRANSCRIPT`: OpenSSH's sftp-server on standard input and output, behind the relay.
 * What is or leads below FORBIDDEN is refused; the transcript is written when all is over.
 */
import { spawn } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { denial } from '../../../../src/gate/decision.ts'
import { Gate } from '../../../../src/gate/gate.ts'
import { SftpRelay } from '../../../../src/protocols/ssh/sftp/relay.ts'
import type { Transfer } from '../../../../src/protocols/ssh/sftp/transfer.ts'
import { ALLOW, CONTEXT, FakePolicy, FakeRecord } from '../../../support/fakes.ts'
import { SETTINGS } from './stage.ts'

const SFTP_SERVER = '/usr/lib/openssh/sftp-server'

const [forbidden = '', transcript = ''] = process.argv.slice(2)
const below = (path: unknown): boolean => typeof path === 'string' && `${path}/`.startsWith(`${forbidden}/`)

const policy = new FakePolicy(({ command: { shape } }) => {
  const { path, resolved, target, targetResolved } = shape.detail
  return [path, resolved, target, targetResolved].some(below)
    ? denial('files.forbidden', 'this is not for agents', 'stay where you may')
    : ALLOW
})
const record = new FakeRecord()
const gate = new Gate(policy, record)
const server = spawn(SFTP_SERVER, { stdio: ['pipe', 'pipe', 'inherit'] })
const transfers: Transfer[] = []
const problems: string[] = []
const relay = new SftpRelay(gate, gate.open(CONTEXT), SETTINGS, {
  toServer: (bytes) => server.stdin.write(bytes),
  toAgent: (bytes) => process.stdout.write(bytes),
  transferred: (transfer) => transfers.push(transfer),
  violated: (by, violation) => {
    problems.push(`${by}: ${violation.message}`)
    server.kill()
  },
  failed: (error) => problems.push(String(error)),
})
server.stdout.on('data', (chunk: Buffer) => relay.fromServer(chunk))
process.stdin.on('data', (chunk: Buffer) => relay.fromAgent(chunk))
process.stdin.on('end', () => server.stdin.end())
server.on('close', () => {
  relay.end()
  const allowed = record.decisions.filter(({ refusal }) => refusal === null).length
  const refused = record.decisions.filter(({ refusal }) => refusal !== null).map(({ command }) => command.shape.text)
  writeFileSync(transcript, JSON.stringify({ transfers, problems, allowed, refused, outcomes: record.outcomes.length }))
  process.stdin.destroy()
})
