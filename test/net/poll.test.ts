import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Answering, usePolling } from '../../src/net/poll.ts'

/** Far beyond the window, and far within it. */
const LATE_MS = 5
/** For so long nobody is polled for then, and a little more. */
const CROWDED_MS = 1_050
/** A test may be interrupted within any one of them, hardly within all. */
const TRIES = 100

usePolling(true)

async function late(peer: Answering, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    peer.asked()
    await sleep(LATE_MS)
    peer.came()
  }
}

function soon(peer: Answering): void {
  for (let time = 0; time < TRIES; time++) {
    peer.asked()
    peer.came()
  }
}

const due = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Immediate').length

t.test('a new peer is polled for', async (t) => {
  const peer = new Answering()
  t.ok(peer.soon)
  peer.asked()
  t.equal(due(), 1)
})

t.test('polling ends by itself when no answer comes', async (t) => {
  new Answering().asked()
  await sleep(LATE_MS)
  t.equal(due(), 0)
})

t.test('a peer that answers late is not polled for any more', async (t) => {
  const peer = new Answering()
  await late(peer, 2)
  t.notOk(peer.soon)
  peer.asked()
  t.equal(due(), 0)
})

t.test('a peer that was slow and answers soon is polled for again', async (t) => {
  const peer = new Answering()
  await late(peer, 2)
  soon(peer)
  t.ok(peer.soon)
})

t.test('a peer that has long answered soon may be late now and then', async (t) => {
  const peer = new Answering()
  soon(peer)
  await late(peer, 3)
  t.ok(peer.soon)
  await late(peer, 1)
  t.notOk(peer.soon)
})

t.test('what comes unasked says nothing of a peer', async (t) => {
  const peer = new Answering()
  await late(peer, 1)
  for (let time = 0; time < TRIES; time++) peer.came()
  await late(peer, 1)
  t.notOk(peer.soon)
})

t.test('nothing is polled for where that is not wanted', async (t) => {
  usePolling(false)
  t.teardown(() => usePolling(true))
  new Answering().asked()
  t.equal(due(), 0)
})

t.test('while others want the processor nobody is polled for', async (t) => {
  const usage = process.resourceUsage
  t.teardown(() => {
    process.resourceUsage = usage
  })
  let interruptions = 0
  process.resourceUsage = () => ({ ...usage.call(process), involuntaryContextSwitches: (interruptions += TRIES) })
  const peer = new Answering()
  soon(peer)
  await sleep(LATE_MS)
  peer.asked()
  t.equal(due(), 0)
  t.ok(peer.soon)
  await sleep(CROWDED_MS)
  peer.came()
  peer.asked()
  t.equal(due(), 1)
})
