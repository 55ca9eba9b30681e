import type { Json } from '../../../gate/json.ts'
import { scanJson } from './json/scan.ts'
import { checkJson } from './json/parse.ts'

/**
 * What JSON has in strings as it is, and YAML 1.1 reads otherwise: lines break at NEL, LS and PS, with the blanks around them
 * gone, and controls are no characters. An escape is the same in both.
 */
const OTHER_IN_YAML = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g

/** What was judged, as the JSON that is sent of it. Throws at what a JSON body could not have held. */
export function encodeJson(json: Json): Buffer {
  checkJson(json, true)
  const bytes = Buffer.from(JSON.stringify(json))
  scanJson(bytes)
  return bytes
}

/** The same, for a reader of YAML. */
export function encodeYaml(json: Json): Buffer {
  const escaped = encodeJson(json)
    .toString()
    .replace(OTHER_IN_YAML, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return Buffer.from(escaped)
}
