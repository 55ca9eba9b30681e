/** Failures of writes, whose messages quote objects: a forbidden change of a pod prints the whole difference. */
import type { Edits } from './edits.ts'
import { Members, OPEN_ARRAY, nextElement, OPEN_OBJECT, QUOTE, skipValue, textAt } from './json.ts'

const MESSAGE = Buffer.from('message')
const REASON = Buffer.from('reason')
const DETAILS = Buffer.from('details')
const CAUSES = Buffer.from('causes')

/** Reasons whose messages name objects and versions, and never say what is in them. */
const NAMES_ONLY: ReadonlySet<string> = new Set([
  'NotFound',
  'AlreadyExists',
  'Conflict',
  'Unauthorized',
  'Gone',
  'Expired',
  'MethodNotAllowed',
  'NotAcceptable',
  'UnsupportedMediaType',
  'RequestEntityTooLarge',
  'Timeout',
  'ServerTimeout',
  'TooManyRequests',
])
/** What RBAC says. Admission answers with the same reason, in words of its own. */
const RBAC = /^[^:]* is forbidden: User "[^"]*" cannot [a-z]+ resource "[^"]*" in API group "[^"]*"[a-z ]*("[^"]*")?$/
const WEBHOOK = /^admission webhook /
const WITHHELD = Buffer.from(JSON.stringify('what the API server said may quote masked values, and is withheld'))

/** Replaces the messages of a Status unless they are known to quote nothing. */
export function hideQuotes(bytes: Buffer, from: number, end: number, edits: Edits): void {
  const members = new Members(bytes, from, end)
  let reason = ''
  const messages: [number, number][] = []
  while (members.next()) {
    const { value } = members
    members.at = skipValue(bytes, value, end)
    if (members.is(REASON) && bytes[value] === QUOTE) reason = textAt(bytes, value, members.at)
    else if (members.is(MESSAGE) && bytes[value] === QUOTE) messages.push([value, members.at])
    else if (members.is(DETAILS) && bytes[value] === OPEN_OBJECT) addCauses(bytes, value, members.at, messages)
  }
  const said = messages.map(([start, behind]) => textAt(bytes, start, behind))
  const names = NAMES_ONLY.has(reason) && !said.some((message) => WEBHOOK.test(message))
  if (names || (reason === 'Forbidden' && said.every((message) => RBAC.test(message)))) return
  for (const [start, behind] of messages) edits.replace(start, behind, WITHHELD)
}

function addCauses(bytes: Buffer, from: number, end: number, messages: [number, number][]): void {
  const details = new Members(bytes, from, end)
  while (details.next()) {
    const { value } = details
    details.at = skipValue(bytes, value, end)
    if (!details.is(CAUSES) || bytes[value] !== OPEN_ARRAY) continue
    let at = value + 1
    for (let first = true; ; first = false) {
      const next = nextElement(bytes, at, end, first)
      if (next === -1) break
      at = skipValue(bytes, next, end)
      if (bytes[next] !== OPEN_OBJECT) continue
      const cause = new Members(bytes, next, end)
      while (cause.next()) {
        cause.at = skipValue(bytes, cause.value, end)
        if (cause.is(MESSAGE) && bytes[cause.value] === QUOTE) messages.push([cause.value, cause.at])
      }
    }
  }
}
