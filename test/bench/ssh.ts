/**
 * What SSH costs through the gate: straight to sshd, through a bare relay on ssh2, and through Sidegate. Only ratios of one run
 * mean anything: rounds are paired, and the tables show medians of the ratios.
 *
 * SIDEGATE_BENCH_ROUNDS (5), SIDEGATE_BENCH_SECONDS (3), SIDEGATE_BENCH_MEGABYTES (300), SIDEGATE_BENCH_SESSIONS (200)
 */
import { once } from 'node:events'
import { createWriteStream, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Client } from 'ssh2'
import { type Program, startProgram } from '../support/process.ts'
import { runClient, ssh } from '../support/ssh-clients.ts'
import { startSshd } from '../support/sshd.ts'
import { directly, type SshPath, startSshRelay, startSshSidegate } from './ssh-stage.ts'
import { median, residentMiB, table } from './stage.ts'

const setting = (name: string, otherwise: number) => Number(process.env[`SIDEGATE_BENCH_${name}`] ?? otherwise)
const ROUNDS = setting('ROUNDS', 5)
const SECONDS = setting('SECONDS', 3)
const MEGABYTES = setting('MEGABYTES', 300)
const SESSIONS = setting('SESSIONS', 200)
const BYTES = MEGABYTES * 1_000_000
/** A transfer takes seconds, on a machine that does nothing else. */
const TRANSFER_MS = 300_000
const SAMPLE_MS = 50

const server = await startSshd()
const large = join(server.directory, 'large')
const made = createWriteStream(large)
for (let left = BYTES; left > 0; left -= 1_000_000)
  if (!made.write(Buffer.alloc(1_000_000, left))) await once(made, 'drain')
made.end()
await once(made, 'close')

const relay = await startSshRelay(server)
const sidegate = await startSshSidegate(server)
const paths: readonly SshPath[] = [directly(server), relay, sidegate]

/** Megabytes a second. */
async function transfer(program: string, args: readonly string[], { client }: SshPath): Promise<number> {
  const began = performance.now()
  const ended = await runClient(program, args, { cwd: client.directory, ms: TRANSFER_MS })
  if (ended.code !== 0) throw new Error(`${program} failed: ${ended.stderr}`)
  return MEGABYTES / ((performance.now() - began) / 1000)
}

function byShell(line: (ssh: string) => string): (path: SshPath) => Promise<number> {
  return (path) => transfer('sh', ['-c', line(`ssh -F ${path.client.config} there`)], path)
}

/** One batch of sftp. */
function bySftp(batch: string): (path: SshPath) => Promise<number> {
  return (path) => transfer('sh', ['-c', `echo '${batch}' | sftp -q -F ${path.client.config} -b - there`], path)
}

async function connected({ client: { address } }: SshPath): Promise<Client> {
  const { host, port, user: username, identity } = address
  const client = new Client()
  const ready = once(client, 'ready')
  const key = identity === undefined ? { authHandler: ['none' as const] } : { privateKey: readFileSync(identity) }
  client.connect({ host, port, username, ...key })
  await ready
  client.setNoDelay(true)
  client.on('error', () => {})
  return client
}

function executed(client: Client, command: string): Promise<void> {
  return new Promise((resolve, reject) => {
    client.exec(command, (error, channel) => {
      if (error !== undefined) return reject(error)
      let status: number | null = null
      channel.resume().on('exit', (code: number) => (status = code))
      channel.stderr.resume()
      channel.on('close', () => (status === 0 ? resolve() : reject(new Error(`it ended with ${status}`))))
    })
  })
}

/** How often a second, for some seconds; `width` at once. */
async function rate(act: () => Promise<unknown>, width = 1): Promise<number> {
  const until = performance.now() + SECONDS * 1000
  const began = performance.now()
  let count = 0
  const one = async () => {
    while (performance.now() < until) {
      await act()
      count++
    }
  }
  await Promise.all(Array.from({ length: width }, one))
  return count / ((performance.now() - began) / 1000)
}

async function onOneConnection(path: SshPath, width: number): Promise<number> {
  const client = await connected(path)
  const found = await rate(() => executed(client, 'true'), width)
  client.end()
  return found
}

async function multiplexed(path: SshPath): Promise<number> {
  const control = ['-o', `ControlPath=${join(path.client.directory, 'control')}`]
  const master: Program = await startProgram('ssh', ['-F', path.client.config, ...control, '-M', '-N', 'there'])
  const alive = async () => (await ssh(path.client, [...control, '-O', 'check', 'there'])).code === 0
  while (!(await alive())) await sleep(SAMPLE_MS)
  const found = await rate(() => ssh(path.client, [...control, 'there', 'true']))
  await master.stop()
  return found
}

async function newConnections(path: SshPath): Promise<number> {
  return await rate(async () => {
    const client = await connected(path)
    await executed(client, 'true')
    client.end()
  })
}

interface Point {
  readonly name: string
  readonly unit: string
  readonly measure: (path: SshPath) => Promise<number>
}

const POINTS: readonly Point[] = [
  { name: 'exec, down', unit: 'MB/s', measure: byShell((ssh) => `${ssh} 'head -c ${BYTES} /dev/zero' >/dev/null`) },
  { name: 'exec, up', unit: 'MB/s', measure: byShell((ssh) => `head -c ${BYTES} /dev/zero | ${ssh} 'cat >/dev/null'`) },
  { name: 'sftp, down', unit: 'MB/s', measure: bySftp(`get ${large} /dev/null`) },
  { name: 'sftp, up', unit: 'MB/s', measure: bySftp(`put ${large} ${large}-copy`) },
  { name: 'exec, one after another', unit: '/s', measure: (path) => onOneConnection(path, 1) },
  { name: 'exec, 8 at once', unit: '/s', measure: (path) => onOneConnection(path, 8) },
  { name: 'ControlMaster', unit: '/s', measure: multiplexed },
  { name: 'new connections', unit: '/s', measure: newConnections },
  {
    name: 'new connections of ssh',
    unit: '/s',
    measure: (path) => rate(() => ssh(path.client, ['there', 'true'])),
  },
]

const found = new Map(POINTS.map(({ name }) => [name, new Map(paths.map((path) => [path.name, [] as number[]]))]))
for (let round = 0; round < ROUNDS; round++) {
  for (const { name, measure } of POINTS) {
    for (const path of round % 2 === 0 ? paths : paths.toReversed()) {
      found
        .get(name)
        ?.get(path.name)
        ?.push(await measure(path))
    }
  }
  process.stderr.write(`ssh: round ${round + 1} of ${ROUNDS}\n`)
}

table(
  ['', ...paths.map(({ name }) => name), 'Sidegate to direct', 'Sidegate to bare relay'],
  POINTS.map(({ name, unit }) => {
    const at = (path: SshPath | undefined): readonly number[] => found.get(name)?.get(path?.name ?? '') ?? []
    const over = (path: SshPath | undefined) =>
      median(at(sidegate).map((value, round) => value / (at(path)[round] ?? Number.NaN))).toFixed(2)
    const absolute = (path: SshPath) => `${median(at(path)).toFixed(0)} ${unit}`
    return [name, ...paths.map(absolute), over(paths[0]), over(relay)]
  }),
)

/** The most that a process holds while something is done. */
async function peakDuring(program: Program, act: () => Promise<void>): Promise<number> {
  let peak = residentMiB(program.pid)
  const sampling = setInterval(() => (peak = Math.max(peak, residentMiB(program.pid))), SAMPLE_MS)
  await act()
  clearInterval(sampling)
  return peak
}

const MiB = (value: number) => `${value.toFixed(0)} MiB`

async function manySessions({ program }: SshPath & { readonly program: Program }): Promise<void> {
  const rows: string[][] = []
  rows.push(['before', MiB(residentMiB(program.pid))])
  const clients: Client[] = []
  for (let at = 0; at < SESSIONS; at += 20) {
    clients.push(...(await Promise.all(Array.from({ length: 20 }, () => connected(sidegate)))))
  }
  rows.push([`${SESSIONS} connections`, MiB(residentMiB(program.pid))])
  for (let round = 1; round <= 5; round++) {
    const peak = await peakDuring(program, async () => {
      for (const client of clients) await executed(client, 'head -c 100000 /dev/zero')
      await Promise.all(clients.map((client) => executed(client, 'true')))
    })
    rows.push([`a program of 100 kB and another on each, round ${round}`, MiB(peak)])
  }
  for (const client of clients) client.end()
  await sleep(2_000)
  rows.push(['after they left', MiB(residentMiB(program.pid))])
  table(['concurrent sessions', 'resident'], rows)
}

/** Reads a little, and then nothing for a while. */
async function stalled({ client, program }: SshPath & { readonly program: Program }): Promise<void> {
  const before = residentMiB(program.pid)
  const line = `ssh -F ${client.config} there 'head -c 900000000 /dev/zero' | { head -c 1000000 >/dev/null; sleep 8; }`
  const peak = await peakDuring(program, async () => {
    await runClient('sh', ['-c', line], { ms: TRANSFER_MS })
  })
  table(['a reader of 900 MB that stalls', 'resident before', 'resident at most'], [['', MiB(before), MiB(peak)]])
}

await manySessions(sidegate)
await stalled(sidegate)
for (const { program } of paths) await program?.stop()
await server.stop()
