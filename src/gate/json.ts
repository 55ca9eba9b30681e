/** A JSON value. Everything that policy sees and that a record keeps is one. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject
export interface JsonObject {
  readonly [key: string]: Json
}
