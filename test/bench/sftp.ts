/** How fast the content of files goes through the inspector: uploads and downloads, with and without their digest. */
import { Gate } from '../../src/gate/gate.ts'
import { encodeReply, encodeVersion } from '../../src/protocols/ssh/sftp/packets/replies.ts'
import { decodeRequest, encodeInit, encodeRequest } from '../../src/protocols/ssh/sftp/packets/requests.ts'
import { REPLY, REQUEST } from '../../src/protocols/ssh/sftp/packets/types.ts'
import { SftpRelay } from '../../src/protocols/ssh/sftp/relay.ts'
import { ALLOW, CONTEXT, FakePolicy, FakeRecord } from '../support/fakes.ts'

const TOTAL = 256 * 1024 ** 2
/** What one packet of SSH carries. */
const CHUNK = 32 * 1024
/** Requests on their way at once, as OpenSSH's client has them. */
const AHEAD = 64
const HANDLE = Buffer.from([0, 0, 0, 0])
const ROUNDS = 5

class Bench {
  readonly relay: SftpRelay
  readonly #record = new FakeRecord()
  readonly #up: Uint8Array[] = []
  passed = 0

  constructor(digests: boolean) {
    this.#record.automatic = false
    const gate = new Gate(new FakePolicy(() => ALLOW), this.#record)
    const settings = {
      user: 'agent',
      order: { agent: 'target-first', server: 'target-first' },
      resolves: () => false,
      files: 64,
      digests,
      now: Date.now,
    } as const
    const end = (why: unknown) => {
      throw new Error(`the relay ended: ${String(why)}`)
    }
    this.relay = new SftpRelay(gate, gate.open(CONTEXT), settings, {
      toServer: (bytes) => {
        this.passed += bytes.length
        if (this.#up.length < 3) this.#up.push(bytes)
      },
      toAgent: (bytes) => (this.passed += bytes.length),
      transferred: () => {},
      violated: end,
      failed: end,
    })
    this.#open()
  }

  #open(): void {
    this.relay.fromAgent(encodeInit(3))
    this.relay.fromServer(encodeVersion(3, []))
    const login = decodeRequest(Buffer.from(this.#up[1] ?? []))
    const name = { name: Buffer.from('/home'), long: Buffer.alloc(0), attributes: {} }
    this.relay.fromServer(encodeReply({ type: REPLY.NAME, id: login.id, entries: [name] }))
    const path = Buffer.from('/file')
    this.relay.fromAgent(encodeRequest({ type: REQUEST.OPEN, id: 0, path, pflags: 3, attributes: {} }))
    this.#record.flush()
    this.relay.fromServer(encodeReply({ type: REPLY.HANDLE, id: 0, handle: HANDLE }))
    this.passed = 0
  }
}

interface Load {
  readonly agent: readonly Buffer[]
  readonly server: readonly Buffer[]
}

/** Chunks as a channel gives them: packets are cut where SSH's packets end. */
function chunksOf(packets: readonly Buffer[]): Buffer[] {
  const whole = Buffer.concat(packets)
  return Array.from({ length: Math.ceil(whole.length / CHUNK) }, (_, at) =>
    whole.subarray(at * CHUNK, (at + 1) * CHUNK),
  )
}

/** One round of requests and their answers, moved along the file in `run`. */
function load(direction: 'upload' | 'download', size: number): (first: bigint) => Load {
  const data = Buffer.alloc(size, 7)
  const status = { message: Buffer.from('Success'), language: Buffer.alloc(0) }
  return (first) => {
    const ids = Array.from({ length: AHEAD }, (_, id) => id)
    const offset = (id: number) => first + BigInt(id * size)
    return direction === 'upload'
      ? {
          agent: chunksOf(
            ids.map((id) => encodeRequest({ type: REQUEST.WRITE, id, handle: HANDLE, offset: offset(id), data })),
          ),
          server: chunksOf(ids.map((id) => encodeReply({ type: REPLY.STATUS, id, code: 0, text: status }))),
        }
      : {
          agent: ids.map((id) =>
            encodeRequest({ type: REQUEST.READ, id, handle: HANDLE, offset: offset(id), length: size }),
          ),
          server: chunksOf(ids.map((id) => encodeReply({ type: REPLY.DATA, id, data }))),
        }
  }
}

function run(direction: 'upload' | 'download', size: number, digests: boolean): number {
  const rates: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const bench = new Bench(digests)
    const make = load(direction, size)
    let spent = 0
    for (let done = 0; done < TOTAL; done += AHEAD * size) {
      const { agent, server } = make(BigInt(done))
      const start = performance.now()
      for (const chunk of agent) bench.relay.fromAgent(chunk)
      for (const chunk of server) bench.relay.fromServer(chunk)
      spent += performance.now() - start
    }
    if (bench.passed < TOTAL) throw new Error(`only ${bench.passed} bytes passed`)
    bench.relay.end()
    rates.push(TOTAL / 1e6 / (spent / 1000))
  }
  return rates.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? 0
}

for (const direction of ['upload', 'download'] as const) {
  for (const size of [32 * 1024, 255 * 1024]) {
    const plain = Math.round(run(direction, size, false))
    const digested = Math.round(run(direction, size, true))
    console.log(`${direction} in packets of ${size / 1024} KiB: ${plain} MB/s, with SHA-256 ${digested} MB/s`)
  }
}
