/** What real shells execute: stubs in place of programs say how they were called; no other program is on the PATH. */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'

/** Programs that do nothing but say that they were called. */
export const PLAIN = ['c1', 'c2', 'c3', 'sudo', 'xyz']
/** Programs that run others: they say so, and then do it. */
const REAL = new Map([
  ['env', '/usr/bin/env'],
  ['nice', '/usr/bin/nice'],
  ['nohup', '/usr/bin/nohup'],
  ['timeout', '/usr/bin/timeout'],
  ['stdbuf', '/usr/bin/stdbuf'],
  ['setsid', '/usr/bin/setsid'],
  ['xargs', '/usr/bin/xargs'],
  ['find', '/usr/bin/find'],
  ['awk', '/usr/bin/awk'],
  ['sed', '/usr/bin/sed'],
  ['sh', '/bin/sh'],
  ['dash', '/bin/dash'],
  ['bash', '/bin/bash'],
])
export const SHELLS = ['/bin/dash', '/bin/bash'].filter((shell) => existsSync(shell))

/** Ends what one stub says; in no word that tests use. */
const END = '<end>'
/** A case that takes longer hangs. */
const PATIENCE = 5_000

export class Oracle {
  readonly #directory = mkdtempSync(join(tmpdir(), 'sidegate-shell-'))
  #cases = 0

  constructor() {
    const stubs = join(this.#directory, 'stubs')
    mkdirSync(stubs)
    const says = `#!/bin/dash\nprintf '%s\\0' "\${0##*/}" "$@" '${END}' >> "\${0%/*}.log"\n`
    for (const name of PLAIN) writeFileSync(join(stubs, name), says)
    for (const [name, path] of REAL)
      if (existsSync(path)) writeFileSync(join(stubs, name), `${says}exec ${path} "$@"\n`)
    for (const name of [...PLAIN, ...REAL.keys()])
      if (existsSync(join(stubs, name))) chmodSync(join(stubs, name), 0o755)
  }

  /** Each program's argv as it was called, in order. */
  executed(shell: string, line: string): string[][] {
    this.#cases += 1
    const own = join(this.#directory, `case-${this.#cases}`)
    mkdirSync(join(own, 'here'), { recursive: true })
    symlinkSync('../stubs', join(own, 'bin'))
    const options = {
      argv0: basename(shell),
      cwd: join(own, 'here'),
      env: { PATH: join(own, 'bin') },
      input: '',
      timeout: PATIENCE,
      killSignal: 'SIGKILL',
      maxBuffer: 1 << 20,
      // A process group of its own. Node passes it on here too, though its types name it for spawn alone.
      detached: true,
    } as const
    const { pid } = spawnSync(shell, ['-c', line], options)
    endGroup(pid)
    const log = join(own, 'bin.log')
    const calls = existsSync(log) ? readFileSync(log, 'utf8') : ''
    rmSync(own, { recursive: true, force: true })
    return calls
      .split(`${END}\0`)
      .filter((call) => call !== '')
      .map((call) => call.split('\0').slice(0, -1))
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

/** Whatever the line left behind, in the background or in a pipeline that was cut short. */
function endGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL')
  } catch {
    // It left nothing.
  }
}
