package sidegate.values_test

import data.sidegate.values

_things := [null, true, 0, "x", "", [], {}, set(), {"a": 1}, [1]]

test_numbers if {
	every pair in [
		[1, 1], [-1.5, -1.5], ["10", 10], ["-3", -3], ["0", 0], ["0.5", 0.5], ["12345678901234", 12345678901234],
	] {
		[given, wanted] := pair
		values.number(given, "none") == wanted
	}
	every given in [
		"", "abc", "1e3", "0x10", "01", "-01", "1.", ".5", "1.2.3", "--1", "-", "+1", " 1", "١",
		"12345678901234567", null, true, [], {}, set(),
	] {
		values.number(given, "none") == "none"
	}
}

test_texts_and_sizes if {
	values.text("a", "none") == "a"
	values.text(1, "none") == "none"
	values.size("abc", -1) == 3
	values.size([1], -1) == 1
	values.size({1, 2}, -1) == 2
	values.size({"a": 1}, -1) == 1
	values.size(7, -1) == -1
	values.size(null, -1) == -1
}

test_words_in_a_row if {
	values.joined(" ", ["git", "push", "--force"], "?") == "git push --force"
	values.joined(" ", ["git", null, 7, ["x"], "--force"], "?") == "git ? ? ? --force"
	values.joined(",", {"b", "a"}, "?") == "a,b"
	every thing in [null, true, 0, "x", "", [], {}, set()] {
		values.joined(" ", thing, "?") == ""
	}
}

test_sums if {
	values.total([1, 2, 2.5], "none") == 5.5
	values.total([1, 1], "none") == 2
	values.total([], "none") == 0
	every thing in [null, 7, "x", [1, null], ["1"], {"a": "x"}] {
		values.total(thing, "none") == "none"
	}
}

test_fields if {
	values.field({"a": 1}, "a", "none") == 1
	values.field({"a": {"b": 2}}, ["a", "b"], "none") == 2
	values.field({"a": null}, ["a", "b"], "none") == "none"
	every thing in [null, true, 0, "x", [], {}, set()] {
		values.field(thing, "a", "none") == "none"
	}
}

test_divisions if {
	values.divide(6, 4, "none") == 1.5
	values.remainder(7, 4, "none") == 3
	every pair in [[1, 0], ["1", 2], [1, null]] {
		values.divide(pair[0], pair[1], "none") == "none"
		values.remainder(pair[0], pair[1], "none") == "none"
	}
	values.remainder(1.5, 2, "none") == "none"
	values.remainder(3, 1.5, "none") == "none"
}

test_patterns if {
	values.matches("^a+$", "aaa", "none") == true
	values.matches("^a+$", "b", "none") == false
	values.matches("(", "a", "none") == "none"
	values.matches("a", 1, "none") == "none"
	values.matches_glob("a*", ["."], "abc", "none") == true
	values.matches_glob("a*", ["."], "b", "none") == false
	values.matches_glob("a*", ["."], 1, "none") == "none"
}

test_networks_times_and_json if {
	values.in_network("10.0.0.0/8", "10.1.2.3", "none") == true
	values.in_network("10.0.0.0/8", "11.1.2.3", "none") == false
	values.in_network("10.0.0.0/8", "somewhere", "none") == "none"
	values.in_network("ten", "10.1.2.3", "none") == "none"
	values.instant("1970-01-01T00:00:01Z", "none") == 1000000000
	values.instant("soon", "none") == "none"
	values.parsed("{\"a\": [1]}", "none") == {"a": [1]}
	values.parsed("{", "none") == "none"
	values.parsed(1, "none") == "none"
}

# An undefined answer would take the rule that asked with it.
test_there_is_always_an_answer if {
	every thing in _things {
		count([answer | some answer in [
			values.number(thing, 0), values.text(thing, ""), values.size(thing, 0), values.divide(thing, thing, 0),
			values.remainder(thing, thing, 0), values.matches(thing, thing, false),
			values.matches_glob("*", [], thing, false), values.in_network(thing, thing, false),
			values.instant(thing, 0), values.parsed(thing, null),
		]]) == 10
	}
}
