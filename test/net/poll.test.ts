import t, { type Test } from 'tap'
import { Answering, CALM, ROUND, ROUNDS, usePolling } from '../../src/net/poll.ts'

/** Milliseconds: when answers come where they are soon, late for a sleeper, and late. */
const SOON = 0.02
const DROWSY = 0.15
const LATE = 5

/** Time passes only where a test says so. */
function clock(t: Test): (ms: number) => void {
  const real = performance.now.bind(performance)
  let now = 1
  performance.now = () => now
  usePolling(true)
  t.teardown(() => {
    performance.now = real
    usePolling(true)
  })
  return (ms) => {
    now += ms
  }
}

/** How many event loop turns are kept from sleeping now: one, or none. */
const due = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length

/** Lets polls of earlier tests come to their end, which is behind them by the test's clock. */
async function turns(pass: (ms: number) => void): Promise<void> {
  pass(LATE)
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}

t.test('a new peer is polled for, until its answer should have come', async (t) => {
  const pass = clock(t)
  await turns(pass)
  new Answering().asked()
  t.equal(due(), 1)
  pass(SOON)
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(due(), 1)
  await turns(pass)
  t.equal(due(), 0)
})

function answer(peer: Answering, pass: (ms: number) => void, ms: number, times = 1): void {
  for (let time = 0; time < times; time++) {
    peer.asked()
    pass(ms)
    peer.came()
  }
}

t.test('a peer that answers late is not polled for any more, until it answers soon again', async (t) => {
  const pass = clock(t)
  const peer = new Answering()
  answer(peer, pass, LATE, 2)
  t.notOk(peer.soon)
  await turns(pass)
  peer.asked()
  t.equal(due(), 0)
  pass(DROWSY)
  peer.came()
  t.ok(peer.soon, 'asleep, what would have come in time is a little late')
})

t.test('a peer that has long answered soon may be late now and then', async (t) => {
  const pass = clock(t)
  const peer = new Answering()
  answer(peer, pass, SOON, 20)
  answer(peer, pass, LATE, 3)
  t.ok(peer.soon)
  answer(peer, pass, LATE)
  t.notOk(peer.soon)
})

t.test('what comes unasked says nothing of a peer', async (t) => {
  const pass = clock(t)
  const peer = new Answering()
  answer(peer, pass, LATE)
  for (let time = 0; time < 20; time++) peer.came()
  answer(peer, pass, LATE)
  t.notOk(peer.soon)
})

/** Which rounds of answers were polled for, where answers take so long awake and asleep. */
async function rounds(pass: (ms: number) => void, count: number, awake: number, asleep: number): Promise<string> {
  const peer = new Answering()
  let shown = ''
  for (let round = 0; round < count; round++) {
    let polled = 0
    for (let time = 0; time < ROUND; time++) {
      await turns(pass)
      peer.asked()
      const polls = due() > 0
      if (polls) polled++
      pass(polls ? awake : asleep)
      peer.came()
    }
    shown += polled === ROUND ? '1' : polled === 0 ? '0' : '?'
  }
  return shown
}

/** Rounds of one way between single ones of the other: each time twice as many. */
function ever(way: string, other: string, times: number): string {
  return Array.from({ length: times }, (_, time) => way.repeat(Math.min(2 ** time, ROUNDS)) + other).join('')
}

t.test('answers are polled for while they come sooner so, and the other way is tried ever less often', async (t) => {
  const shown = ever('1', '0', 9)
  t.equal(await rounds(clock(t), shown.length, SOON, DROWSY), shown)
})

t.test('answers that come no sooner for it are not polled for, but now and then', async (t) => {
  const shown = `10${ever('0', '1', 9)}`
  t.equal(await rounds(clock(t), shown.length, SOON, SOON), shown)
})

t.test('what others do meanwhile changes the way', async (t) => {
  const pass = clock(t)
  t.match(await rounds(pass, ROUNDS, SOON, DROWSY), /1{28}$/)
  // What was long better is doubted within the rounds until its next trial, and the other is then tried ever less often.
  t.match(await rounds(pass, 2 * ROUNDS, DROWSY / 2, SOON), /^1{0,64}0010.*0{54}$/)
  t.match(await rounds(pass, 2 * ROUNDS, SOON, DROWSY), /^0{0,64}11011.*1{48}$/)
})

t.test('nobody is polled for while answers of others are due too, and then for a while', async (t) => {
  const pass = clock(t)
  await turns(pass)
  const [one, other] = [new Answering(), new Answering()]
  one.asked()
  pass(SOON)
  other.asked()
  await new Promise((resolve) => setImmediate(resolve))
  t.equal(due(), 0)
  one.came()
  other.came()
  for (let time = 1; time < CALM; time++) {
    await turns(pass)
    one.asked()
    t.equal(due(), 0)
    one.came()
  }
  one.asked()
  t.equal(due(), 1, 'the other is long silent')
  one.came()
  other.asked()
  t.equal(due(), 1, 'they take turns')
  await turns(pass)
})

t.test('what was found out of one peer holds when others were there meanwhile', async (t) => {
  const pass = clock(t)
  t.match(await rounds(pass, ROUNDS, SOON, DROWSY), /111/)
  const [one, other] = [new Answering(), new Answering()]
  for (let time = 0; time < 4 * ROUND; time++) {
    one.asked()
    other.asked()
    pass(LATE)
    one.came()
    other.came()
  }
  // It takes some until it is calm, so that a round of another way lies in two of these.
  t.match(await rounds(pass, 16, SOON, DROWSY), /^\?111\?\?1{10}$/)
})

t.test('who does not answer keeps nobody else from being polled for', async (t) => {
  const pass = clock(t)
  new Answering().asked()
  await turns(pass)
  new Answering().asked()
  t.equal(due(), 1)
  await turns(pass)
})

t.test('nothing is polled for where that is not wanted', async (t) => {
  const pass = clock(t)
  await turns(pass)
  usePolling(false)
  new Answering().asked()
  t.equal(due(), 0)
})
