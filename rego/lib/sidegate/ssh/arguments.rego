package sidegate.ssh

# Of a command with known words only.
_permitted(command, commands) if {
	not is_object(commands)
	command.name in commands
}

_permitted(command, commands) if {
	is_object(commands)
	_fits(array.slice(command.argv, 1, count(command.argv)), commands[command.name])
}

_fits(_, true)

_fits(words, patterns) if _fits_one(words, patterns)

_fits(words, patterns) if {
	not is_object(patterns)
	some pattern in patterns
	_fits_one(words, pattern)
}

_fits_one(words, pattern) if {
	_is_words(pattern)
	count(words) == count(pattern)
	every index, word in words {
		_word_fits(word, pattern[index])
	}
}

_fits_one(words, pattern) if {
	_is_words(pattern)
	last := count(pattern) - 1
	pattern[last] == "**"
	count(words) >= last
	every index, word in words {
		_word_fits(word, _expected(pattern, index, last))
	}
}

_fits_one(words, pattern) if {
	is_object(pattern)
	count(object.remove(pattern, ["flags", "words", "numbers", "paths", "texts", "least"])) == 0
	every word in words {
		_of_form(word, pattern)
	}
	operands := [word | some word in words; not startswith(word, "-"); not _listed(word, pattern)]
	found := array.slice(operands, object.get(pattern, "texts", 0), count(operands))
	every operand in found {
		_operand(operand, pattern)
	}
	count([operand | some operand in found; _is_path(operand, pattern)]) >= object.get(pattern, "least", 0)
}

# A list of lists is several patterns.
_is_words(pattern) if {
	is_array(pattern)
	every word in pattern {
		is_string(word)
	}
}

_expected(pattern, index, last) := pattern[index] if {
	index < last
} else := "*"

_word_fits(word, word)

# An option where an argument is expected could do anything: `--output=/etc/passwd`.
_word_fits(word, "*") if not startswith(word, "-")

_of_form(word, _) if not startswith(word, "-")

_of_form(word, form) if _listed(word, form)

_of_form(word, form) if {
	letters := substring(word, 1, -1)
	letters != ""
	not contains(form.flags, "-")
	trim(letters, concat("", [form.flags, "0123456789"])) == ""
}

_listed(word, form) if word in form.words

_operand(word, form) if {
	form.numbers == true
	word != ""
	trim(word, "0123456789") == ""
}

_operand(word, form) if _is_path(word, form)

_is_path(word, form) if _under(_without_slash(word), form.paths)
