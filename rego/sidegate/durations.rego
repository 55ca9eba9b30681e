package sidegate

_units := {"s": 1, "m": 60, "h": 3600, "d": 86400}

# A whole number from 1 to 999999 and a unit: `30s`, `10m`, `2h`, `7d`.
_duration(value) if {
	is_string(value)
	substring(value, count(value) - 1, 1) in object.keys(_units)
	digits := substring(value, 0, count(value) - 1)
	digits != ""
	count(digits) <= 6
	trim(digits, "0123456789") == ""
	not startswith(digits, "0")
}

# Only of what is a `_duration`, so that to_number cannot fail.
_seconds(value) := to_number(substring(value, 0, count(value) - 1)) * _units[substring(value, count(value) - 1, 1)]
