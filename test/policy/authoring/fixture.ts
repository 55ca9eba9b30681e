import { checkSources } from '../../../src/policy/authoring/check.ts'
import type { Finding } from '../../../src/policy/authoring/findings.ts'

/** The findings on one file of rules, beside whatever else stands in the folder. */
export async function check(rules: string, others: Readonly<Record<string, string>> = {}): Promise<readonly Finding[]> {
  const files = Object.entries({ 'p.rego': rules, ...others }).map(([path, text]) => ({ path, text }))
  return checkSources({
    rules: files.filter(({ path }) => path.endsWith('.rego') && !path.endsWith('_test.rego')),
    tests: files.filter(({ path }) => path.endsWith('_test.rego')),
    data: files.filter(({ path }) => path.endsWith('data.json')),
  })
}

/** `line:code` of each. */
export const brief = (findings: readonly Finding[]): readonly string[] =>
  findings.map(({ file, line, code }) => `${file === 'p.rego' ? '' : `${file}:`}${line}:${code}`)

export const SSH_HEADER = 'package policy.p\n\nimport data.sidegate.ssh\n\n'

export const KUBERNETES_HEADER = 'package policy.p\n\nimport data.sidegate.kubernetes\n\n'

export const HEADER = 'package policy.p\n\nimport data.sidegate.sql\n\n'
