package sidegate.parameters_test

import data.sidegate.parameters
import data.sidegate.samples

_bound := samples.postgres({"parameters": [
	{"type": "int4", "value": 7, "known": true},
	{"type": null, "value": null, "known": false},
	{"type": "text", "value": null, "known": true},
]})

test_a_known_value_is_given if {
	parameters.value(1, -1) == 7 with input as _bound
	parameters.value(3, "x") == null with input as _bound
	parameters.type(1, "") == "int4" with input as _bound
}

test_the_fallback_stands_in_for_what_is_not_known if {
	every number in [0, 2, 4, -1, 1.5, "1", null] {
		parameters.value(number, "fallback") == "fallback" with input as _bound
	}
	every number in [0, 2, 4] {
		parameters.type(number, "none") == "none" with input as _bound
	}
	parameters.value(1, "fallback") == "fallback" with input as {}
	parameters.type(1, "none") == "none" with input as {}
}
