import t from 'tap'
import {
  compileMasks,
  confirm,
  type DescribedColumn,
  planMasks,
  refuseMarker,
  scrubError,
} from '../../../../src/protocols/postgres/masking.ts'
import { catalogueOf, maskOf, relationOf, statementOf } from './sketch.ts'
import { METHODS } from './wire.ts'

const catalogue = catalogueOf({
  relations: [relationOf(1, 'customers', ['id', 'ssn']), relationOf(2, 'orders', ['id'])],
})
const masks = compileMasks([maskOf('public.customers.ssn')], catalogue)

const field = (name: string, table: number, column: number, type = 25): DescribedColumn => ({
  name,
  table,
  column,
  type,
})

function verdict(sql: string, described: readonly DescribedColumn[]): string {
  const confirmed = confirm(planMasks(statementOf(sql), masks, catalogue), described, METHODS)
  if (confirmed.kind === 'mismatch') return confirmed.message
  return confirmed.passive ? 'passes' : 'masks'
}

t.test('rows are masked only where the server describes what was planned', (t) => {
  const sql = "select id, ssn as s, 'x' from customers"
  const id = field('id', 1, 1)
  const ssn = field('s', 1, 2)
  const x = field('?column?', 0, 0)
  t.equal(verdict(sql, [id, ssn, x]), 'masks')
  t.match(verdict(sql, [id, ssn]), /3 columns were planned, 2/)
  t.match(verdict(sql, [ssn, id, x]), /planned as/)
  t.match(verdict(sql, [id, field('ssn', 1, 2), x]), /planned as s/)
  t.match(verdict(sql, [id, field('s', 1, 1), x]), /another column/)
  t.match(verdict(sql, [id, field('s', 0, 0), x]), /another column/)
  t.match(verdict(sql, [field('id', 2, 1), ssn, x]), /another column/)
  t.match(verdict(sql, [id, ssn, field('?column?', 1, 2)]), /does not mask/)
  t.match(verdict(sql, [id, ssn, field('?column?', 1, 0)]), /does not mask/)
  t.end()
})

t.test('a result that was planned clear must not be described with a masked column', (t) => {
  t.equal(verdict('select id from customers', [field('id', 1, 1)]), 'passes')
  t.match(verdict('select id from customers', [field('id', 1, 2)]), /does not mask/)
  t.match(verdict('select id from customers', [field('id', 1, 0)]), /does not mask/)
  t.equal(verdict('select id from orders', [field('id', 2, 1)]), 'passes')
  t.match(verdict("select id from customers where ssn = ''", [field('id', 1, 1)]), /refused/)
  t.end()
})

t.test('a value that is no text becomes NULL, whatever the method', (t) => {
  const row = Buffer.from([0x44, 0, 0, 0, 14, 0, 1, 0, 0, 0, 4, 0, 0, 0, 9])
  const plan = planMasks(statementOf('select ssn from customers'), masks, catalogue)
  for (const type of [23, 17, 114, 3802, 1009, 2950, 16_500]) {
    const masker = confirm(plan, [field('ssn', 1, 2, type)], METHODS)
    if (masker.kind === 'mismatch') throw new Error(masker.message)
    t.same([...masker.rewriteRow(row)], [0x44, 0, 0, 0, 10, 0, 1, 255, 255, 255, 255], String(type))
  }
  t.end()
})

t.test('of an error remain its severity, its code and a text for the class of the code', (t) => {
  const error = new Map(
    Object.entries({
      S: 'FEHLER',
      V: 'ERROR',
      C: '23505',
      M: 'm',
      D: 'Key (ssn)=(1)',
      H: 'h',
      W: 'w',
      n: 'n',
      P: '3',
      F: 'f',
    }),
  )
  const scrubbed = scrubError(error)
  t.same([...scrubbed.keys()].sort(), ['C', 'M', 'S', 'V'])
  t.equal(scrubbed.get('S'), 'ERROR')
  t.equal(scrubbed.get('C'), '23505')
  t.match(scrubbed.get('M'), /a constraint was violated/)
  t.end()
})

t.test('a code or severity that was made up says nothing', (t) => {
  for (const code of ['SECRT', '99999', 'zz', '']) t.equal(scrubError(new Map([['C', code]])).get('C'), 'XX000')
  t.equal(scrubError(new Map([['V', '123-45-6789']])).get('V'), 'ERROR')
  t.equal(
    scrubError(
      new Map([
        ['V', 'NOTICE'],
        ['C', '00000'],
      ]),
    ).get('S'),
    'NOTICE',
  )
  t.end()
})

t.test('a write that carries the marker is refused, in its text and in its parameters', (t) => {
  const update = statementOf("update orders set id = '[sidegate:masked]'")
  t.match(refuseMarker(update, [], METHODS), { code: 'obligation.unsupported' })
  const bound = statementOf('update orders set id = $1')
  t.match(refuseMarker(bound, [null, Buffer.from('[sidegate:masked]')], METHODS), { code: 'obligation.unsupported' })
  t.equal(refuseMarker(bound, [null, Buffer.from('masked')], METHODS), null)
  t.equal(refuseMarker(statementOf("select '[sidegate:masked]'"), [], METHODS), null)
  t.end()
})
