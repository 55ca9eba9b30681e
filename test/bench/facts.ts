/** What reading one statement costs: parse and facts of a text that is new, and of one that is known. */
import { bench, do_not_optimize, run } from 'mitata'
import { parseSync } from 'libpg-query'
import { analyse } from '../../src/protocols/postgres/sql/analyse.ts'
import { AnalysisCache } from '../../src/protocols/postgres/sql/cache.ts'
import { ParsingThread } from '../../src/protocols/postgres/sql/thread.ts'
import { catalogue, LIMITS } from '../protocols/postgres/sql/fixture.ts'

const SELECT = 'SELECT abalance FROM pgbench_accounts WHERE aid = 42;'
const JOIN = `SELECT c.name, count(*) AS n, max(o.total) FROM customers c JOIN orders o ON o.customer_id = c.id
  WHERE c.email LIKE $1 AND lower(o.note) <> 'x' GROUP BY c.name HAVING count(*) > 2 ORDER BY n DESC LIMIT 10`

const cache = new AnalysisCache(LIMITS, new ParsingThread(LIMITS))
const bytes = Buffer.from(SELECT)
cache.analyse(SELECT, catalogue)

bench('libpg-query alone: the pgbench SELECT', () => do_not_optimize(parseSync(SELECT)))
bench('parse and facts: the pgbench SELECT', () => do_not_optimize(analyse(SELECT, catalogue, LIMITS)))
bench('libpg-query alone: a join with aggregates', () => do_not_optimize(parseSync(JOIN)))
bench('parse and facts: a join with aggregates', () => do_not_optimize(analyse(JOIN, catalogue, LIMITS)))
bench('known text, the same string', () => do_not_optimize(cache.analyse(SELECT, catalogue)))
bench('known text, a string decoded from the wire', () =>
  do_not_optimize(cache.analyse(bytes.toString('latin1'), catalogue)))

await run()
