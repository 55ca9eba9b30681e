/**
 * Loaded before every test file: generated cases are the same in each run, so that a red run is about the change and can be
 * repeated. `SIDEGATE_SEED=random` looks for new ones, `SIDEGATE_SEED=123` repeats what fast-check printed.
 */
import fc from 'fast-check'

const SEED = 20_261_121

const wanted = process.env['SIDEGATE_SEED']
if (wanted !== 'random') fc.configureGlobal({ seed: wanted === undefined ? SEED : Number(wanted) })
