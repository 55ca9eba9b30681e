/** `sidegate policy check`: everything in a policy that would be silent, or would deny everything, is an error here. */
import { basename, dirname } from 'node:path'
import { combinerSources, type Source } from '../combiner.ts'
import { parseModules } from './ast.ts'
import { checkBinding } from './binding.ts'
import { checkBuiltins } from './builtins.ts'
import { checkEvery } from './every.ts'
import { AuthoringError, type Finding } from './findings.ts'
import { checkHeads } from './heads.ts'
import { type Run, runOpa } from './opa.ts'
import { checkPackage, checkRules } from './packages.ts'
import { Program } from './program.ts'
import { checkReferences } from './references.ts'
import { checkResults } from './results.ts'
import { CAPABILITIES, readSources, SCHEMAS, type Sources } from './sources.ts'
import { staged } from './stage.ts'

/** Finds nothing in a policy that may be built. Throws an {@link AuthoringError} when it cannot be read at all. */
export async function checkPolicy(folder: string): Promise<readonly Finding[]> {
  return checkSources(readSources(folder))
}

export async function checkSources(sources: Sources): Promise<readonly Finding[]> {
  if (sources.rules.length === 0) {
    const message = 'the folder holds no rules'
    return [{ file: '', line: 0, code: 'policy.empty', message, remedy: 'write a *.rego with a package policy.<name>' }]
  }
  const modules = await parseModules([...sources.rules, ...sources.tests])
  const program = new Program(modules.slice(0, sources.rules.length))
  const { findings, roots } = checkData(sources.data)
  const found = [
    ...modules.flatMap((module) => checkPackage(module)),
    ...checkRules(program),
    ...checkResults(program),
    ...checkBinding(program),
    ...checkBuiltins(program),
    ...checkHeads(program),
    ...checkEvery(program),
    ...checkReferences(program, roots),
    ...findings,
    ...(await checkWithOpa(sources)),
  ]
  return unique(found)
}

/** Data among the rules would grant what no rule grants. */
function checkData(files: readonly Source[]): {
  readonly findings: readonly Finding[]
  readonly roots: ReadonlySet<string>
} {
  const found = files.map(({ path, text }): { readonly findings: Finding[]; readonly roots: readonly string[] } => {
    const at = { file: path, line: 0, code: 'policy.data' }
    const [top] = dirname(path).split('/')
    let roots: readonly string[]
    try {
      const value = JSON.parse(text) as unknown
      if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new SyntaxError('it is no object')
      roots = top === '.' || top === undefined ? Object.keys(value) : [top]
    } catch (error) {
      const message = `${basename(path)} is not a JSON object: ${(error as Error).message}`
      return { findings: [{ ...at, message, remedy: 'write one JSON object' }], roots: [] }
    }
    const reserved = roots.filter((root) => ['policy', 'sidegate', 'system'].includes(root))
    const findings = reserved.map((root) => ({
      ...at,
      message: `data under \`${root}\` would stand among the rules`,
      remedy: 'give it another name at the top',
    }))
    return { findings, roots }
  })
  return { findings: found.flatMap((each) => each.findings), roots: new Set(found.flatMap((each) => each.roots)) }
}

async function checkWithOpa({ rules, tests, data }: Sources): Promise<Finding[]> {
  const own = combinerSources()
  const authors = [...rules, ...tests]
  const formatted = await staged(authors, (folder) => runOpa(['fmt', '--list', '.'], folder))
  const check = ['check', '--strict', '--schema', SCHEMAS]
  const rulesChecked = await staged([...own, ...rules, ...data], (folder) =>
    runOpa([...check, '--capabilities', CAPABILITIES, '.'], folder),
  )
  // Tests run outside of the sidecar, and may use whatever OPA has.
  const testsChecked =
    tests.length === 0 || rulesChecked.status !== 0
      ? null
      : await staged([...own, ...authors, ...data], (folder) => runOpa([...check, '.'], folder))
  return [
    ...unformatted(formatted),
    ...problems(rulesChecked),
    ...(testsChecked === null ? [] : problems(testsChecked)),
  ]
}

function unformatted({ status, stdout, stderr }: Run): Finding[] {
  if (status !== 0) return problems({ status, stdout, stderr })
  const files = stdout.split('\n').filter((line) => line !== '')
  return files.map((file) => ({
    file: file.replace(/^\.\//, ''),
    line: 0,
    code: 'policy.format',
    message: 'is not formatted',
    remedy: 'run `opa fmt --write` on it',
  }))
}

const PROBLEM = /^(?:1 error occurred: )?(?:\.\/)?(\S+\.rego):(\d+): (rego_[a-z_]+): (.+)$/

/** OPA's own errors, one a line; anything else that it says is kept whole. */
function problems({ status, stdout, stderr }: Run): Finding[] {
  if (status === 0) return []
  const lines = `${stdout}\n${stderr}`.split('\n')
  const found = lines.flatMap((line) => {
    const [, file, row, code, message] = PROBLEM.exec(line.trim()) ?? []
    if (file === undefined || code === undefined || message === undefined) return []
    return [
      {
        file,
        line: Number(row),
        code: `opa.${code.replace(/^rego_/, '').replaceAll('_', '-')}`,
        message,
        remedy: remedyOf(code, message),
      },
    ]
  })
  if (found.length === 0) throw new AuthoringError('opa.failed', `opa check failed: ${lines.join('\n').trim()}`)
  return found
}

function remedyOf(code: string, message: string): string {
  return code === 'rego_type_error' && message.startsWith('undefined function')
    ? 'use what rego/capabilities.json lists, and the helpers of data.sidegate'
    : ''
}

function unique(findings: readonly Finding[]): readonly Finding[] {
  const byText = new Map(findings.map((each) => [JSON.stringify(each), each]))
  return [...byText.values()].sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1))
}
