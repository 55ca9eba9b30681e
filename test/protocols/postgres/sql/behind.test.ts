import t from 'tap'
import { behind, facts } from './fixture.ts'

void t.test('a relation is told with every other whose rows it shows', async (t) => {
  t.same(behind('SELECT * FROM customers'), [])
  t.same(behind('SELECT id FROM people'), ['public.customers'])
  t.same(behind('SELECT ssn FROM people_kept'), ['public.customers', 'public.people'], 'all levels deep')
  t.same(behind('TABLE measures_2024'), ['public.measures'], 'rows of a partition are rows of the whole')
  t.same(
    behind('SELECT count(*) FROM measures'),
    ['public.measures_2024', 'public.measures_of_others', 'public.orders'],
    'rows of a child are rows of its other parents',
  )
  t.same(
    behind('TABLE measured'),
    ['oid 99999', 'public.measures', 'public.measures_2024', 'public.measures_of_others', 'public.orders'],
    'children below a view count, and what is not known by name is not passed over',
  )
})

void t.test('so it is whatever is done with it', async (t) => {
  t.same(behind("UPDATE people SET ssn = 'x' WHERE true"), ['public.customers'])
  t.same(behind('INSERT INTO people VALUES (1)'), ['public.customers'])
  t.same(behind('DELETE FROM people'), ['public.customers'])
  t.same(behind('COPY people FROM STDIN'), ['public.customers'])
  t.same(behind('COPY people TO STDOUT'), ['public.customers'])
  t.same(behind('REFRESH MATERIALIZED VIEW people_kept'), ['public.customers', 'public.people'])
  t.same(behind('LOCK TABLE people'), ['public.customers'])
  t.same(behind('DROP VIEW people'), ['public.customers'])
})

void t.test('nothing is known to be behind what is not known, and its kind says so', async (t) => {
  t.match(facts('SELECT * FROM nowhere').relations, [{ schema: null, kind: 'unknown', behind: [] }])
})
