import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { clusterPrograms, startCluster } from '../../../src/commands/demo/cluster.ts'
import { describe, perform, typed, writeKubeconfig } from '../../../src/commands/demo/cluster-agent.ts'
import { PLAIN } from '../../../src/commands/terminal.ts'

const base = mkdtempSync(join(tmpdir(), 'sidegate-test-cluster-'))
t.teardown(() => rmSync(base, { recursive: true, force: true }))

function program(folder: string, name: string, text: string): string {
  mkdirSync(join(base, folder), { recursive: true })
  const file = join(base, folder, name)
  writeFileSync(file, `#!/bin/sh\n${text}\n`)
  chmodSync(file, 0o755)
  return file
}

t.test('a cluster is at hand only where all that it takes is there, the first of each', async (t) => {
  const [one, two] = [join(base, 'one'), join(base, 'two')]
  t.equal(clusterPrograms([one, two]), null)
  const etcd = program('one', 'etcd', 'exit 1')
  program('two', 'etcd', 'exit 1')
  const kubectl = program('two', 'kubectl', 'exit 1')
  t.equal(clusterPrograms([one, two]), null)
  const apiServer = program('two', 'kube-apiserver', 'exit 1')
  t.same(clusterPrograms([one, two]), { apiServer, etcd, kubectl })
})

t.test('an API server that ends at once is told, and nothing of it stays', async (t) => {
  const failing = program('failing', 'program', 'exit 1')
  const programs = { apiServer: failing, etcd: failing, kubectl: failing }
  await t.rejects(startCluster(base, programs, { api: 1, store: 1, peer: 1 }), { message: /did not start/ })
})

t.test('an agent is given an address, an authority and a token that means nothing', async (t) => {
  const file = join(base, 'kubeconfig')
  writeKubeconfig(file, 6443, '/run/ca.pem')
  t.match(JSON.parse(readFileSync(file, 'utf8')), {
    clusters: [{ cluster: { server: 'https://127.0.0.1:6443', 'certificate-authority': '/run/ca.pem' } }],
    users: [{ user: { token: 'means-nothing' } }],
  })
  const shows = program('shows', 'kubectl', 'echo "$@"; echo wrong >&2; exit 3')
  const step = { args: ['get', 'pods', '-o', 'go-template={{.a}}'] }
  const seen = await perform({ program: shows, kubeconfig: file, cache: base }, step)
  t.match(seen, {
    status: 3,
    output: `--kubeconfig=${file} --cache-dir=${base} get pods -o go-template={{.a}}\nwrong\n`,
  })
  t.same(describe({ output: 'a\n'.repeat(9), status: 0 }, PLAIN).slice(-2), ['… 1 more', 'exit status 0'])
  t.equal(typed(step), "kubectl get pods -o 'go-template={{.a}}'")
})
