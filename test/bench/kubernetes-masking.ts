/** What masking a list of Secrets costs by itself: processor time for 20 MB, by the size of the values and of the pieces that arrive. */
import { randomBytes } from 'node:crypto'
import { mask, plan, rewriterOf, SECRETS } from '../protocols/kubernetes/masking/sketch.ts'
import { median, table } from './stage.ts'

const BYTES = 20e6
const ROUNDS = 9
/** Of TLS, and of what the kernel gives at once. */
const PIECES = [16_384, 65_536]
const VALUES = [32, 200, 1_000, 4_000, 100_000]

const FIELDS = { 'f:data': { '.': {}, 'f:password': {} }, 'f:type': {} }

/** As the API server makes it. */
function listOf(valueBytes: number, labelled: boolean): Buffer {
  const items: string[] = []
  for (let length = 0; length < BYTES;) {
    const metadata = {
      name: `secret-${items.length}`,
      namespace: 'default',
      uid: '819fb2da-fb7d-4a5c-ae26-feaeb3f097f2',
      resourceVersion: String(1_000 + items.length),
      creationTimestamp: '2026-11-21T15:08:24Z',
      ...(labelled
        ? { labels: { app: 'x', 'app.kubernetes.io/name': 'shop' }, annotations: { checksum: 'abcdef' } }
        : {}),
      managedFields: [
        {
          manager: 'kubectl-create',
          operation: 'Update',
          apiVersion: 'v1',
          time: '2026-11-21T15:08:24Z',
          fieldsType: 'FieldsV1',
          fieldsV1: FIELDS,
        },
      ],
    }
    const item = JSON.stringify({
      metadata,
      data: { password: randomBytes(valueBytes).toString('base64') },
      type: 'Opaque',
    })
    items.push(item)
    length += item.length + 1
  }
  return Buffer.from(
    `{"kind":"SecretList","apiVersion":"v1","metadata":{"resourceVersion":"1"},"items":[${items.join(',')}]}\n`,
  )
}

function milliseconds(bytes: Buffer, piece: number): number {
  const rewriter = rewriterOf(plan([mask('data.*')], { target: SECRETS }))
  const before = process.cpuUsage()
  for (let at = 0; at < bytes.length; at += piece) rewriter.chunk(bytes.subarray(at, at + piece))
  rewriter.end()
  return process.cpuUsage(before).user / 1000
}

const rows: string[][] = []
for (const value of VALUES) {
  for (const labelled of [false, true]) {
    const bytes = listOf(value, labelled)
    const times = PIECES.map((piece) => median(Array.from({ length: ROUNDS }, () => milliseconds(bytes, piece))))
    const told = times.map((time) => `${time.toFixed(0)} ms (${(bytes.length / 1000 / time).toFixed(0)} MB/s)`)
    rows.push([`${value} B`, labelled ? 'yes' : 'no', ...told])
  }
}
table(['value', 'labels', ...PIECES.map((piece) => `pieces of ${piece / 1024} KiB`)], rows)
