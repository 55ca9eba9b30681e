/** One mistake in a policy: where it is, what it is, and what would be accepted. */
export interface Finding {
  /** Relative to the policy's folder; empty when the finding is about all of it. */
  readonly file: string
  /** From 1; 0 when the finding is about the whole file. */
  readonly line: number
  /** Stable and for machines. */
  readonly code: string
  readonly message: string
  readonly remedy: string
}

/** `file:line: code: message` and, indented beneath, the remedy. */
export function formatFinding({ file, line, code, message, remedy }: Finding): string {
  const place = [file, ...(line > 0 ? [line] : [])].filter((part) => part !== '').join(':')
  return `${place === '' ? '' : `${place}: `}${code}: ${message}${remedy === '' ? '' : `\n  → ${remedy}`}`
}

/** A policy cannot be checked, tested or built: something that it needs is not there or does not work. */
export class AuthoringError extends Error {
  readonly code: string
  readonly findings: readonly Finding[]

  constructor(code: string, message: string, findings: readonly Finding[] = [], cause?: unknown) {
    super([message, ...findings.map(formatFinding)].join('\n'), cause === undefined ? undefined : { cause })
    this.name = 'AuthoringError'
    this.code = code
    this.findings = findings
  }
}
