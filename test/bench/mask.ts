/** What masking costs: rewriting 64 KiB runs of rows by each method, and planning a statement. */
import { bench, do_not_optimize, group, run } from 'mitata'
import { MASK_METHODS } from '../../src/gate/decision.ts'
import { MaskKey } from '../../src/mask/key.ts'
import { maskMethods } from '../../src/mask/method.ts'
import { compileMasks, planMasks, RowMasker } from '../../src/protocols/postgres/masking.ts'
import { encodeDataRow } from '../../src/protocols/postgres/messages.ts'
import { catalogueOf, maskOf, relationOf, statementOf } from '../protocols/postgres/masking/sketch.ts'

const CHUNK = 65_536
const values = ['12345', 'a name of someone', '123-45-6789', '2026-01-02', 'someone@example.com'].map((text) =>
  Buffer.from(text),
)
const row = encodeDataRow(values)
const rows = Buffer.concat(Array.from({ length: Math.floor(CHUNK / row.length) }, () => row))
const methods = maskMethods(new MaskKey(Buffer.alloc(32, 1)))

const name = `rewrite ${rows.length} bytes of rows of five columns`
group(name, () => {
  bench('copied only', () => do_not_optimize(Buffer.from(rows)))
  for (const method of MASK_METHODS.filter((each) => each !== 'deny')) {
    const masker = new RowMasker([null, null, { text: methods.text(method) }, null, null])
    bench(`one column masked with ${method}`, () => do_not_optimize(masker.rewrite(rows, 0, rows.length)))
  }
})

const relations = [relationOf(1001, 'accounts', ['aid', 'bid', 'abalance', 'filler'])]
const catalogue = catalogueOf({ relations })
const masks = compileMasks([maskOf('public.accounts.filler')], catalogue)
const statement = statementOf('SELECT abalance FROM accounts WHERE aid = $1')
bench('plan a statement of one table', () => do_not_optimize(planMasks(statement, masks, catalogue)))

const result = await run()
for (const { runs, alias } of result.benchmarks) {
  const p50 = runs[0]?.stats?.p50
  if (p50 !== undefined && !alias.startsWith('plan')) {
    process.stdout.write(`${alias}: ${Math.round((rows.length / p50) * 1e3)} MB/s\n`)
  }
}
