# METADATA
# title: Total forms of builtins that can fail
# description: |
#   A builtin that fails takes its rule with it, without a word: `deny … if to_number(x) > 10` allows "abc". These never
#   fail. The last argument is the answer where there is none: give the one that restricts, a great number to a rule
#   that denies what is large, a small one to a rule that allows it.
package sidegate.values

# METADATA
# title: A number, from a number or from decimal text
number(value, fallback) := value if is_number(value)

else := to_number(value) if _decimal(value)

else := fallback

# METADATA
# title: Text as it is
text(value, fallback) := value if is_string(value)

else := fallback

# METADATA
# title: What is in an object, by its key or by a path of keys
field(value, path, fallback) := object.get(value, path, fallback) if is_object(value)

else := fallback

# METADATA
# title: How many elements, keys or characters
size(value, fallback) := count(value) if _countable(value)

else := fallback

# METADATA
# title: The words in a row
# description: "`unknown` stands for each that is no text: a word that only the host's shell would know is null."
joined(delimiter, words, unknown) := concat(delimiter, [text(word, unknown) | some word in _in_order(words)])

# METADATA
# title: The sum
# description: The fallback stands in where one of them is no number.
total(amounts, fallback) := sum([amount | some amount in amounts]) if {
	every amount in amounts {
		is_number(amount)
	}
} else := fallback

# METADATA
# title: The quotient
divide(dividend, divisor, fallback) := dividend / divisor if {
	is_number(dividend)
	is_number(divisor)
	divisor != 0
} else := fallback

# METADATA
# title: The remainder of whole numbers
remainder(dividend, divisor, fallback) := dividend % divisor if {
	_whole(dividend)
	_whole(divisor)
	divisor != 0
} else := fallback

# METADATA
# title: Whether text matches an RE2 pattern
# description: The fallback stands in for what is no text and for a pattern that is none.
matches(pattern, value, fallback) := regex.match(pattern, value) if {
	is_string(value)
	regex.is_valid(pattern)
} else := fallback

# METADATA
# title: Whether text matches a glob
# description: "`delimiters` as glob.match has them. The fallback stands in for what is no text, and for no pattern."
matches_glob(pattern, delimiters, value, fallback) := matched if {
	matched := glob.match(pattern, delimiters, value)
} else := fallback

# METADATA
# title: Nanoseconds since 1970, from a time as RFC 3339 writes it
instant(value, fallback) := nanoseconds if {
	nanoseconds := time.parse_rfc3339_ns(value)
} else := fallback

# METADATA
# title: Whether an address lies in a network
# description: "`network` as in 10.0.0.0/8. The fallback stands in for what is no address or no network."
in_network(network, address, fallback) := contained if {
	contained := net.cidr_contains(network, address)
} else := fallback

# METADATA
# title: What the JSON text says
parsed(value, fallback) := json.unmarshal(value) if {
	is_string(value)
	json.is_valid(value)
} else := fallback

# The engine of the sidecar goes through sets in another order than OPA.
_in_order(words) := sort(words) if is_set(words)

else := words

_whole(value) if {
	is_number(value)
	floor(value) == value
}

_countable(value) if is_string(value)

_countable(value) if is_array(value)

_countable(value) if is_object(value)

_countable(value) if is_set(value)

# [-]digits[.digits], short enough to be exact, no needless zero in front.
_decimal(value) if {
	is_string(value)
	count(value) <= 16
	unsigned := trim_prefix(value, "-")
	parts := split(unsigned, ".")
	count(parts) <= 2
	every part in parts {
		_digits(part)
	}
	not _padded(parts[0])
}

_digits(part) if {
	part != ""
	trim(part, "0123456789") == ""
}

_padded(whole) if {
	startswith(whole, "0")
	whole != "0"
}
