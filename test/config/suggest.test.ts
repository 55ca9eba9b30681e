import fc from 'fast-check'
import t from 'tap'
import { nearest } from '../../src/config/suggest.ts'

const KEYS = ['listen', 'upstream', 'agent', 'databases', 'credential', 'limits', 'labels', 'protocol']

t.test('a slip, a swap, a missing letter and wrong case are recognised', async (t) => {
  for (const word of ['listn', 'lisetn', 'Listen', 'listen_', 'liisten']) t.equal(nearest(word, KEYS), 'listen', word)
})

t.test('a word that resembles none suggests none', async (t) => {
  for (const word of ['x', 'zzzzzzzz', 'port']) t.equal(nearest(word, KEYS), null, word)
})

t.test('a suggestion is always one of the candidates, and a candidate suggests itself', async (t) => {
  t.doesNotThrow(() =>
    fc.assert(
      fc.property(fc.string({ maxLength: 20 }), fc.array(fc.string({ maxLength: 20 })), (word, candidates) => {
        const meant = nearest(word, candidates)
        return meant === null ? !candidates.includes(word) : candidates.includes(meant)
      }),
    ),
  )
})
