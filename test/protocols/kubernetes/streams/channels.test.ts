import fc from 'fast-check'
import t from 'tap'
import {
  AgentChannels,
  UpstreamChannels,
  type Version,
  writeSize,
} from '../../../../src/protocols/kubernetes/streams/channels.ts'
import { FrameViolation } from '../../../../src/protocols/kubernetes/streams/frames.ts'

function agent(version: Version = 'v5.channel.k8s.io') {
  const input: Buffer[] = []
  const said: string[] = []
  const channels = new AgentChannels(version, {
    input: (bytes) => input.push(bytes),
    inputEnds: () => said.push('ends'),
    resized: (columns, rows) => said.push(`${columns}x${rows}`),
  })
  return { channels, said, input: () => Buffer.concat(input).toString() }
}

/** A message cut into pieces at the given places, as frames and the network would. */
function cut(message: Buffer, places: readonly number[]): { readonly bytes: Buffer; readonly last: boolean }[] {
  const sorted = [...new Set(places.map((place) => place % (message.length + 1)))].toSorted((a, b) => a - b)
  const edges = [0, ...sorted, message.length]
  return edges.slice(1).map((end, at) => ({ bytes: message.subarray(edges[at], end), last: at === edges.length - 2 }))
}

const places = fc.array(fc.nat(1_000), { maxLength: 4 })

t.test('input, its end and resizes are read however their messages are cut', async (t) => {
  const message = fc.oneof(
    fc.string().map((text) => ({ channel: 0, text, says: null })),
    fc.constant({ channel: 255, text: '\0', says: 'ends' }),
    fc.tuple(fc.nat(65_535), fc.nat(65_535)).map(([columns, rows]) => ({
      channel: 4,
      text: writeSize(columns, rows).toString(),
      says: `${columns}x${rows}`,
    })),
  )
  fc.assert(
    fc.property(fc.array(fc.tuple(message, places), { maxLength: 8 }), (messages) => {
      const { channels, said, input } = agent()
      for (const [{ channel, text }, where] of messages) {
        const whole = Buffer.concat([Buffer.of(channel), Buffer.from(text)])
        for (const { bytes, last } of cut(whole, where)) channels.push(bytes, last)
      }
      const model = messages.map(([one]) => one)
      t.equal(input(), model.flatMap(({ channel, text }) => (channel === 0 ? [text] : [])).join(''))
      t.strictSame(
        said,
        model.flatMap(({ says }) => (says === null ? [] : [says])),
      )
    }),
    { numRuns: 100 },
  )
})

t.test('what a server sends reaches the stream that its first byte names, however it is cut', async (t) => {
  const message = fc.tuple(fc.constantFrom(1, 2, 3), fc.string(), places)
  fc.assert(
    fc.property(fc.array(message, { maxLength: 8 }), (messages) => {
      const got: Record<number, string[]> = { 1: [], 2: [], 3: [] }
      const put = (channel: number) => (bytes: Buffer) => got[channel]?.push(bytes.toString('latin1'))
      const channels = new UpstreamChannels({ output: put(1), error: put(2), status: put(3) })
      for (const [channel, text, where] of messages) {
        const whole = Buffer.concat([Buffer.of(channel), Buffer.from(text)])
        for (const { bytes, last } of cut(whole, where)) channels.push(bytes, last)
      }
      for (const channel of [1, 2, 3]) {
        const model = messages.flatMap(([of, text]) => (of === channel ? [text] : [])).join('')
        t.equal(Buffer.from(got[channel]?.join('') ?? '', 'latin1').toString(), model)
      }
    }),
    { numRuns: 100 },
  )
})

t.test('a message without a byte says nothing', async (t) => {
  const { channels, said, input } = agent()
  channels.push(Buffer.alloc(0), true)
  channels.push(Buffer.from('\0x'), true)
  t.equal(input(), 'x')
  t.strictSame(said, [])
})

const WRONG: Readonly<Record<string, { readonly bytes: Buffer; readonly version?: Version }>> = {
  output: { bytes: Buffer.from([1, 65]) },
  'a Status': { bytes: Buffer.from([3, 65]) },
  'a channel that nobody knows': { bytes: Buffer.from([7, 65]) },
  'the end of another stream than its input': { bytes: Buffer.from([255, 1]) },
  'an end that says more': { bytes: Buffer.from([255, 0, 0]) },
  'the end of its input in a version that has none': { bytes: Buffer.from([255, 0]), version: 'v4.channel.k8s.io' },
  'a size that is no JSON': { bytes: Buffer.from('\x04{') },
  'a size that is negative': { bytes: Buffer.from('\x04{"Width":-1,"Height":2}') },
  'a size without a height': { bytes: Buffer.from('\x04{"Width":1}') },
  'a size that does not end': { bytes: Buffer.concat([Buffer.of(4), Buffer.alloc(1_000, ' ')]) },
}

for (const [what, { bytes, version }] of Object.entries(WRONG)) {
  t.test(`an agent that sends ${what} breaks the protocol`, async (t) => {
    t.throws(() => agent(version).channels.push(bytes, true), FrameViolation)
  })
}

t.test('a server that sends input breaks the protocol', async (t) => {
  const channels = new UpstreamChannels({ output() {}, error() {}, status() {} })
  for (const channel of [0, 4, 5, 255]) t.throws(() => channels.push(Buffer.of(channel, 0), true), FrameViolation)
})
