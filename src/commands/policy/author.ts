import { checkPolicy } from '../../policy/authoring/check.ts'
import { formatFinding } from '../../policy/authoring/findings.ts'
import { scaffold } from '../../policy/authoring/scaffold.ts'
import type { TemplateName } from '../../policy/authoring/templates.ts'
import { testPolicy } from '../../policy/authoring/test.ts'
import { paintFor } from '../terminal.ts'

const print = (text: string) => process.stdout.write(`${text}\n`)

export function create(folder: string, protocol: TemplateName): void {
  for (const path of scaffold(folder, protocol)) print(`wrote ${path}`)
  print(`next: sidegate policy check ${folder} && sidegate policy test ${folder}`)
}

export async function check(folder: string, json: boolean): Promise<void> {
  const findings = await checkPolicy(folder)
  const paint = paintFor(process.stdout)
  if (json) print(JSON.stringify(findings, null, 2))
  else if (findings.length === 0) print(`${paint.green('ok')}  ${folder}`)
  else for (const each of findings) print(formatFinding(each))
  process.exitCode = findings.length === 0 ? 0 : 1
}

export async function test(folder: string, json: boolean): Promise<void> {
  const report = await testPolicy(folder)
  process.exitCode = report.passed ? 0 : 1
  if (json) {
    print(JSON.stringify(report, null, 2))
    return
  }
  const paint = paintFor(process.stdout)
  const { passed, failed } = report.engine
  print(report.opa.trimEnd())
  for (const name of failed) print(`${paint.red('FAIL')}  ${name} in the engine of the sidecar`)
  if (passed.length > 0) print(`in the engine of the sidecar: PASS: ${passed.length}/${passed.length + failed.length}`)
}
