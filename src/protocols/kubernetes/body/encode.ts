import type { Json } from '../../../gate/json.ts'
import { scanJson } from './json/scan.ts'
import { checkJson } from './json/parse.ts'

/** What was judged, as the JSON that is sent of it. Throws at what a JSON body could not have held. */
export function encodeJson(json: Json): Buffer {
  checkJson(json, true)
  const bytes = Buffer.from(JSON.stringify(json))
  scanJson(bytes)
  return bytes
}
