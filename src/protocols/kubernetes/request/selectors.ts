/** Field selectors, as far as they name an object (k8s.io/apimachinery, pkg/fields/selector.go). */
import { unparsable } from './target.ts'

/** In the order in which the server looks for them. */
const OPERATORS = ['!=', '==', '='] as const

/**
 * The name that a selector demands by `metadata.name=`, or null. Throws what refuses a selector that the server could not
 * read: RequestInfo would then leave the name out, and the request would be judged as one for all objects.
 */
export function selectedName(selector: string): string | null {
  let name: string | null = null
  // The server sorts the terms, and takes the first that names one.
  for (const term of termsOf(selector).toSorted((left, right) =>
    Buffer.compare(Buffer.from(left), Buffer.from(right)),
  )) {
    if (term === '') continue
    const { field, operator, value } = splitTerm(term)
    const plain = unescape(value)
    if (name === null && operator !== '!=' && field === 'metadata.name') name = plain
  }
  return name
}

function termsOf(selector: string): string[] {
  const terms: string[] = []
  let start = 0
  for (let at = 0; at < selector.length; at++) {
    if (selector[at] === '\\') at++
    else if (selector[at] === ',') {
      terms.push(selector.slice(start, at))
      start = at + 1
    }
  }
  terms.push(selector.slice(start))
  return terms
}

function splitTerm(term: string): { field: string; operator: string; value: string } {
  for (let at = 0; at < term.length; at++) {
    for (const operator of OPERATORS) {
      if (term.startsWith(operator, at)) {
        return { field: term.slice(0, at), operator, value: term.slice(at + operator.length) }
      }
    }
  }
  throw wrong()
}

function unescape(value: string): string {
  let out = ''
  for (let at = 0; at < value.length; at++) {
    const character = value[at] as string
    if (character === ',' || character === '=') throw wrong()
    if (character !== '\\') out += character
    else {
      const escaped = value[++at]
      if (escaped !== '\\' && escaped !== ',' && escaped !== '=') throw wrong()
      out += escaped
    }
  }
  return out
}

function wrong() {
  return unparsable('the field selector cannot be read', 'write field=value, field!=value, joined by commas')
}
