/** `sidegate policy new`: a policy to begin with, and its tests. */
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { AuthoringError } from './findings.ts'
import { TEMPLATES, type TemplateName } from './templates.ts'

/** Writes the files, into a folder that is empty or not there yet. Gives their paths. */
export function scaffold(folder: string, protocol: TemplateName = 'postgres'): readonly string[] {
  const { rules, tests } = TEMPLATES[protocol]
  const name = basename(resolve(folder))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
  if (!/^[a-z]/.test(name)) throw new AuthoringError('policy.name', `name the folder with a letter first, not ${name}`)
  mkdirSync(folder, { recursive: true })
  if (readdirSync(folder).length > 0) throw new AuthoringError('policy.exists', `${folder} is not empty`)
  const files = [
    { path: join(folder, `${name}.rego`), text: rules(name) },
    { path: join(folder, `${name}_test.rego`), text: tests(name) },
  ]
  for (const { path, text } of files) writeFileSync(path, text, { flag: 'wx' })
  return files.map(({ path }) => path)
}
