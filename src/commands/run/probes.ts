/** `/healthz`, `/readyz` and `/metrics`, and nothing else: whoever asks need not prove anything. */
import { type Page, type Reply, servePages, text } from './http.ts'

export interface ProbeSources {
  /** Why commands are not taken; empty when they are. */
  notReady(): readonly string[]
  metrics(): Promise<Reply>
}

export function serveProbes(listen: { readonly host: string; readonly port: number }, sources: ProbeSources) {
  const pages = new Map<string, Page>([
    ['/healthz', () => text(200, 'ok')],
    [
      '/readyz',
      () => {
        const reasons = sources.notReady()
        return reasons.length === 0 ? text(200, 'ready') : text(503, reasons.join('\n'))
      },
    ],
    ['/metrics', () => sources.metrics()],
  ])
  return servePages(listen, pages)
}
