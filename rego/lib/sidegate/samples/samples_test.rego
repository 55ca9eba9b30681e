package sidegate.samples_test

import data.sidegate.samples

test_a_sample_has_every_key_and_what_it_was_given if {
	sample := samples.postgres({"effects": ["delete", "select"], "where": false})
	sample.command.action == "delete"
	sample.command.detail.where == false
	sample.command.detail.transaction == "idle"
	samples.postgres({}).command.action == "empty"
}
