# METADATA
# title: Values that an agent binds to a PostgreSQL statement
# description: |
#   Kept apart from `sidegate.sql`, whose every helper is true for PostgreSQL alone: what these give is the agent's, so
#   none of them binds a rule to a protocol.
# schemas:
#   - input: schema.input
#   - input.command.detail: schema.postgres
package sidegate.parameters

# METADATA
# title: The value of $number, or the fallback
# description: The fallback stands in where there is no such parameter, or its value is not known.
value(number, fallback) := known if {
	known := _known(number).value
} else := fallback

# METADATA
# title: The type of $number, or the fallback
type(number, fallback) := input.command.detail.parameters[number - 1].type if {
	is_string(input.command.detail.parameters[number - 1].type)
} else := fallback

_known(number) := parameter if {
	parameter := input.command.detail.parameters[number - 1]
	parameter.known == true
}
