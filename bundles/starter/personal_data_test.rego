package policy.personal_data_test

import data.policy.personal_data
import data.sidegate.samples

test_personal_columns_are_masked_whatever_the_statement if {
	every detail in [{}, {"effects": ["select"]}, {"effects": ["unknown"]}] {
		personal_data.mask == {
			{"column": "public.customers.email", "with": "partial"},
			{"column": "public.customers.ssn", "with": "redact"},
		} with input as samples.postgres(detail)
	}
}

test_other_protocols_have_no_columns if {
	personal_data.mask == set() with input as samples.exec([["ls"]])
}
