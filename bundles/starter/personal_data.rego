# METADATA
# title: Personal data
# description: Columns that agents see masked, whoever asks and whatever allows the statement.
# schemas:
#   - input: schema.input
package policy.personal_data

# Column and method: deny, null, redact, hash or partial. Change this to yours; a column that does not exist refuses
# every statement that its relation takes part in, since the mask would hide nothing.
_columns := {
	["public.customers.email", "partial"],
	["public.customers.ssn", "redact"],
}

# Other protocols have no columns, and would have to refuse what they cannot mask.
mask contains {"column": column, "with": method} if {
	input.command.protocol == "postgres"
	some [column, method] in _columns
}
