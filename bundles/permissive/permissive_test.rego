package policy.permissive_test

import data.policy.permissive

test_every_command_is_allowed_whatever_its_protocol if {
	permissive.allow == {{"code": "permissive.all", "protocol": "*"}} with input as {}
}
