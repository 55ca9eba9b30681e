package sidegate.samples_test

import data.sidegate.samples

test_a_request_has_every_key_and_what_it_was_given if {
	sample := samples.ssh({"kind": "shell", "mode": "recorded"})
	sample.command.action == "shell"
	sample.command.protocol == "ssh"
	sample.target.protocol == "ssh"
	sample.command.detail.mode == "recorded"
	sample.command.detail.commands == []
	not sample.command.detail.effects
}

test_a_line_is_made_of_its_words if {
	line := samples.exec([["ls", "-l"], ["wc"]]).command.detail
	line.literal
	[command.name | some command in line.commands] == ["ls", "wc"]
	line.commands[0].argv == ["ls", "-l"]
}

test_a_copy_is_run_by_its_server if {
	pushed := samples.transfer("git", "upload", ["/srv/a.git"]).command.detail
	pushed.commands[0].name == "git-receive-pack"
	pushed.transfer.paths == ["/srv/a.git"]
}
