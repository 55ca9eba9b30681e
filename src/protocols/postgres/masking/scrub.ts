/** Errors and notices of statements that touch masked columns: their texts quote values, so only the code remains. */

/** What each class of SQLSTATE says, in words that hold for all of its codes. */
const CLASSES: ReadonlyMap<string, string> = new Map([
  ['00', 'the statement succeeded'],
  ['01', 'the target gave a warning'],
  ['02', 'there is no data'],
  ['03', 'the statement is not complete'],
  ['08', 'the connection failed'],
  ['09', 'a triggered action failed'],
  ['0A', 'the target does not support this'],
  ['0B', 'a transaction could not be begun'],
  ['0F', 'a locator is not valid'],
  ['0L', 'a grantor is not valid'],
  ['0P', 'a role is not valid'],
  ['0Z', 'a diagnostic is not valid'],
  ['10', 'an XQuery failed'],
  ['20', 'no case applies'],
  ['21', 'a query gave more rows than it may'],
  ['22', 'a value is not valid'],
  ['23', 'a constraint was violated'],
  ['24', 'the cursor is in no valid state'],
  ['25', 'the transaction is in no valid state'],
  ['26', 'there is no such prepared statement'],
  ['27', 'a trigger changed the data'],
  ['28', 'the target did not accept who asks'],
  ['2B', 'other privileges depend on this'],
  ['2D', 'a transaction could not be ended'],
  ['2F', 'a function failed'],
  ['34', 'there is no such cursor'],
  ['38', 'a function failed'],
  ['39', 'a function was called wrongly'],
  ['3B', 'a savepoint is not valid'],
  ['3D', 'there is no such database'],
  ['3F', 'there is no such schema'],
  ['40', 'the transaction was rolled back'],
  ['42', 'the statement is not valid, or not permitted'],
  ['44', 'a view does not take this row'],
  ['53', 'the target has no resources left'],
  ['54', 'a limit of the target was passed'],
  ['55', 'the target is not in a state for this'],
  ['57', 'the target was interrupted'],
  ['58', 'the target met a failure of its system'],
  ['72', 'a snapshot is too old'],
  ['F0', 'a file of the target is not valid'],
  ['HV', 'a foreign server failed'],
  ['P0', 'a procedure failed'],
  ['XX', 'the target met an internal failure'],
])

const UNKNOWN_CODE = 'XX000'
const SQLSTATE = /^[0-9A-Z]{5}$/
const SEVERITIES: ReadonlySet<string> = new Set([
  'ERROR',
  'FATAL',
  'PANIC',
  'WARNING',
  'NOTICE',
  'DEBUG',
  'INFO',
  'LOG',
])

/** What may pass of an ErrorResponse's or NoticeResponse's fields: severity, code, and a fixed text for the code's class. */
export function scrubError(fields: ReadonlyMap<string, string>): Map<string, string> {
  const given = fields.get('C') ?? ''
  // A code can be made up, and then says whatever its author wants it to.
  const code = SQLSTATE.test(given) && CLASSES.has(given.slice(0, 2)) ? given : UNKNOWN_CODE
  const severity = fields.get('V') ?? fields.get('S') ?? ''
  const known = SEVERITIES.has(severity) ? severity : 'ERROR'
  const said = CLASSES.get(code.slice(0, 2)) ?? ''
  return new Map([
    ['S', known],
    ['V', known],
    ['C', code],
    ['M', `${said} (the text is withheld, because the statement touches masked columns)`],
  ])
}
