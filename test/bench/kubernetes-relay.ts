/**
 * A bare relay of the Kubernetes API, as a program: TLS on both sides and HTTP between them, what any proxy in Node costs before
 * it does anything. `kubernetes-relay.ts undici|http-proxy-3 PORT TARGET-PORT TARGET-CA TOKEN CA-FILE`, where it writes the
 * certificate of its own authority to the last.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer } from 'node:https'
import { createProxyServer } from 'http-proxy-3'
import { type Dispatcher, Pool } from 'undici'
import { Authority } from '../../src/net/authority.ts'

const [kind = '', port = '0', target = '0', targetCa = '', token = '', caFile = ''] = process.argv.slice(2)
const ca = readFileSync(targetCa, 'utf8')
const authorization = `Bearer ${token}`
const origin = `https://127.0.0.1:${target}`

type Serve = (request: IncomingMessage, response: ServerResponse) => void

/** As few steps as undici allows: its dispatcher, and a handler that writes what it is given. */
function byUndici(): Serve {
  const pool = new Pool(origin, { connect: { ca }, headersTimeout: 0, bodyTimeout: 0, allowH2: false })
  return (request, response) => {
    const { method = 'GET', url = '/', headers } = request
    const { host: _host, connection: _connection, ...kept } = headers
    let controller: Dispatcher.DispatchController | null = null
    response.on('drain', () => controller?.resume())
    response.once('close', () => {
      if (!response.writableFinished) controller?.abort(new Error('the agent left'))
    })
    pool.dispatch(
      {
        method: method,
        path: url,
        headers: { ...(kept as Record<string, string>), authorization },
        body: method === 'GET' ? null : request,
      },
      {
        onRequestStart: (started) => void (controller = started),
        onResponseStart: (_controller, status, returned) => {
          const { connection: _theirs, 'transfer-encoding': _coding, ...rest } = returned
          response.writeHead(status, rest)
          if (rest['content-length'] === undefined) response.flushHeaders()
        },
        onResponseData: (from, chunk) => {
          if (!response.write(chunk)) from.pause()
        },
        onResponseEnd: () => void response.end(),
        onResponseError: () => void response.destroy(),
      },
    )
  }
}

function byHttpProxy(): Serve {
  const agent = new Agent({ keepAlive: true, ca })
  const proxy = createProxyServer({ target: origin, changeOrigin: true, agent, headers: { authorization } })
  proxy.on('error', (_error, _request, response) => void response.destroy())
  return (request, response) => proxy.web(request, response)
}

const authority = Authority.create('relay')
const { cert, key } = authority.issue(['localhost', '127.0.0.1'])
writeFileSync(caFile, authority.certificate)
const serve = kind === 'undici' ? byUndici() : byHttpProxy()
const server = createServer({ cert, key, ALPNProtocols: ['http/1.1'], noDelay: true }, serve)
server.listen(Number(port), '127.0.0.1', () => console.log('listening'))
