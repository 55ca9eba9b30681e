# METADATA
# title: What a command may be given
# description: |
#   By its words, the first of which is its name, all known. `ssh.only_runs` says what `commands` are. Relative paths
#   need the command's `directory`.
package sidegate.arguments

import data.sidegate.directories

# METADATA
# scope: document
# title: The command and its words are among these
permitted(command, commands) if {
	not is_object(commands)
	command.name in commands
}

permitted(command, commands) if {
	is_object(commands)
	_fits(command, commands[command.name])
}

_fits(_, true)

_fits(command, patterns) if _fits_one(command, patterns)

_fits(command, patterns) if {
	not is_object(patterns)
	some pattern in patterns
	_fits_one(command, pattern)
}

_words(command) := array.slice(command.argv, 1, count(command.argv))

_fits_one(command, pattern) if {
	_is_words(pattern)
	words := _words(command)
	count(words) == count(pattern)
	every index, word in words {
		_word_fits(word, pattern[index])
	}
}

_fits_one(command, pattern) if {
	_is_words(pattern)
	words := _words(command)
	last := count(pattern) - 1
	pattern[last] == "**"
	count(words) >= last
	every index, word in words {
		_word_fits(word, _expected(pattern, index, last))
	}
}

_fits_one(command, pattern) if {
	is_object(pattern)
	count(object.remove(pattern, ["flags", "words", "numbers", "paths", "texts", "least"])) == 0
	words := _words(command)
	every word in words {
		_of_form(word, pattern)
	}
	operands := [word | some word in words; not startswith(word, "-"); not _listed(word, pattern)]
	found := array.slice(operands, object.get(pattern, "texts", 0), count(operands))
	every operand in found {
		_operand(operand, command, pattern)
	}
	paths := [operand | some operand in found; _is_path(operand, command, pattern)]
	count(paths) >= object.get(pattern, "least", 0)
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

_operand(word, _, form) if {
	form.numbers == true
	word != ""
	trim(word, "0123456789") == ""
}

_operand(word, command, form) if _is_path(word, command, form)

_is_path(word, _, form) if directories.under(directories.without_slash(word), form.paths)

# Where the line goes to a directory first, relative paths are known too.
_is_path(word, command, form) if {
	not startswith(word, "/")
	is_string(command.directory)
	directories.under(_within(command.directory, directories.without_slash(word)), form.paths)
}

_within(directory, ".") := directory

_within(directory, path) := concat("/", [_stem(directory), path]) if path != "."

_stem("/") := ""

_stem(directory) := directory if directory != "/"
