import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { once } from 'node:events'

/**
 * A loopback port that nothing listens on at this moment. Only for programs that cannot listen on port 0 and say
 * which one they got: another may take it before they do, so whoever starts one tries again with another.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
