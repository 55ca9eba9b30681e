/** Tries static reads on loopback once, because a takeover of an accepted socket's handle is not documented by Node. */
import { createServer, type AddressInfo } from 'node:net'
import { adopt, dial, type Handlers, type Leg } from './leg.ts'
import { staticReads, useStaticReads } from './reads.ts'

/** Far longer than loopback needs, short enough not to delay a start that has to fall back. */
const PATIENCE = 1_000

const IN_FLIGHT = 64 * 1024

/** Leaves static reads on where two interleaved connections echo exactly and end cleanly; else off. */
export async function testStaticReads(): Promise<boolean> {
  useStaticReads(true)
  const server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
    const leg: Leg = adopt(
      socket,
      echo(() => leg),
      { inFlight: IN_FLIGHT },
    )
  })
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(0, '127.0.0.1', resolve)
    })
    const { port } = server.address() as AddressInfo
    const heard = await Promise.all([converse(port, 'one'), converse(port, 'two')])
    useStaticReads(heard[0] === 'one one ' && heard[1] === 'two two ')
  } catch {
    useStaticReads(false)
  } finally {
    server.close()
  }
  return staticReads()
}

function echo(leg: () => Leg): Handlers {
  return {
    chunk: (bytes) => leg().write(Buffer.from(bytes)),
    end: () => leg().end(),
    drain: () => {},
    close: () => {},
  }
}

async function converse(port: number, word: string): Promise<string> {
  let heard = ''
  const said = Buffer.from(`${word} `)
  const { promise, resolve, reject } = Promise.withResolvers<string>()
  const handlers: Handlers = {
    chunk: (bytes) => {
      heard += bytes.toString('latin1')
      if (heard.length === said.length) leg.write(said)
      else leg.end()
    },
    end: () => {},
    drain: () => {},
    close: (error) => (error === null ? resolve(heard) : reject(error)),
  }
  const leg = await dial({ host: '127.0.0.1', port, timeout: PATIENCE }, handlers, { inFlight: IN_FLIGHT })
  const timer = setTimeout(() => leg.destroy(new Error('no echo')), PATIENCE)
  leg.write(said)
  return await promise.finally(() => clearTimeout(timer))
}
