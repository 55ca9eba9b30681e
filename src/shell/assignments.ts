/** Which variables may be set without a change of what is run. */

/** What the whole environment may be told: how to speak, how wide the screen is, that nobody can be asked. */
const HARMLESS =
  /^(LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|COLUMNS|LINES|NO_COLOR|FORCE_COLOR|CLICOLOR|CI|DEBIAN_FRONTEND|GIT_TERMINAL_PROMPT|PYTHONUNBUFFERED|PYTHONDONTWRITEBYTECODE|NODE_ENV|RAILS_ENV|RACK_ENV|RUST_BACKTRACE|RUST_LOG|LOG_LEVEL|VERBOSE)$/
/** Shells and the system give no meaning to names in lower case. */
const OWN_VARIABLE = /^[a-z_][a-z0-9_]*$/

/** A program that finds it in its environment runs nothing else because of it. Of the rest, too many say what to run. */
export function harmlessInEnvironment(name: string): boolean {
  return HARMLESS.test(name)
}

/** The shell itself does nothing else because of it. Not PATH, IFS, ENV, PS4, SECONDS …, and none that is inherited. */
export function harmlessInShell(name: string): boolean {
  return OWN_VARIABLE.test(name) || HARMLESS.test(name)
}
