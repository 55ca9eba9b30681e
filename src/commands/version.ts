import { readFileSync } from 'node:fs'

/** `src` and `dist` lie beside package.json, and this file equally deep in both. */
const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')

export const VERSION: string = (JSON.parse(text) as { version: string }).version
