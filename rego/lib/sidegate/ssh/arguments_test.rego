package sidegate.ssh_test

import data.sidegate.samples
import data.sidegate.ssh

test_anything_may_be_given_where_it_is_said_so if {
	ssh.only_runs({"ls": true}) with input as samples.exec([["ls", "--anything", "*"]])
	ssh.only_runs({"ls": true}) with input as samples.exec([["ls"]])
}

test_a_list_of_words_is_exactly_these if {
	git := {"git": [["status"], ["log", "--oneline"]]}
	ssh.only_runs(git) with input as samples.exec([["git", "status"]])
	ssh.only_runs(git) with input as samples.exec([["git", "log", "--oneline"]])
	ssh.only_runs({"git": ["status"]}) with input as samples.exec([["git", "status"]])
	ssh.only_runs({"git": {["status"], ["log"]}}) with input as samples.exec([["git", "status"]])
	every words in [
		["git"], ["git", "log"], ["git", "status", "x"], ["git", "--oneline", "log"], ["git", "log --oneline"],
	] {
		not ssh.only_runs(git) with input as samples.exec([words])
	}
	ssh.only_runs({"uptime": []}) with input as samples.exec([["uptime"]])
	not ssh.only_runs({"uptime": []}) with input as samples.exec([["uptime", "-p"]])
	not ssh.only_runs({"git": ["status", "log"]}) with input as samples.exec([["git", "status"]])
}

test_one_word_may_be_anything_but_an_option if {
	fetch := {"git": [["fetch", "*"]]}
	ssh.only_runs(fetch) with input as samples.exec([["git", "fetch", "origin"]])
	ssh.only_runs(fetch) with input as samples.exec([["git", "fetch", ""]])
	every words in [
		["git", "fetch"], ["git", "fetch", "a", "b"], ["git", "fetch", "--upload-pack=rm"], ["git", "fetch", "-x"],
		["git", "fetch", "-"],
	] {
		not ssh.only_runs(fetch) with input as samples.exec([words])
	}
}

test_the_last_words_may_be_anything_but_options if {
	echo := {"git": [["show", "**"]]}
	every words in [["git", "show"], ["git", "show", "a"], ["git", "show", "a", "b", "c"]] {
		ssh.only_runs(echo) with input as samples.exec([words])
	}
	every words in [["git"], ["git", "show", "a", "--output=x"], ["git", "log", "a"]] {
		not ssh.only_runs(echo) with input as samples.exec([words])
	}
	not ssh.only_runs({"git": [["**", "c"]]}) with input as samples.exec([["git", "a", "b", "c"]])
	ssh.only_runs({"echo": [["**"]]}) with input as samples.exec([["echo"]])
}

_tail := {"tail": {"flags": "fn", "words": {"--follow"}, "numbers": true, "paths": {"/var/log"}, "least": 1}}

test_options_and_paths_that_are_listed_may_be_given if {
	every words in [
		["tail", "/var/log/syslog"], ["tail", "-n100", "/var/log/syslog"], ["tail", "-n", "100", "/var/log/syslog"],
		["tail", "-fn5", "/var/log/a", "/var/log/b"], ["tail", "--follow", "/var/log/a"], ["tail", "/var/log"],
		["tail", "-5", "/var/log/"], ["tail", "/var/log/a b"],
	] {
		ssh.only_runs(_tail) with input as samples.exec([words])
	}
}

test_no_other_options_paths_or_words_may_be_given if {
	every words in [
		["tail"], ["tail", "-f"], ["tail", "-n", "100"], ["tail", "-c5", "/var/log/a"], ["tail", "--pid=1", "/var/log/a"],
		["tail", "/etc/shadow"], ["tail", "/var/log/../../etc/shadow"], ["tail", "/var/logs/a"], ["tail", "log"],
		["tail", "/var/log/a", "/etc/shadow"], ["tail", "/var/log//a"], ["tail", "/var/log/./a"], ["tail", "-", "/var/log/a"],
		["tail", "--", "/var/log/a"], ["tail", "", "/var/log/a"], ["tail", "-/var/log/a", "/var/log/a"],
		["tail", "-n", "1e3", "/var/log/a"], ["tail", "/var/log//"], ["tail", "~/x"],
	] {
		not ssh.only_runs(_tail) with input as samples.exec([words])
	}
}

test_the_first_words_that_are_no_options_may_be_text if {
	grep := {"grep": {"flags": "in", "texts": 1, "paths": {"/var/log"}}}
	every words in [
		["grep", "-i", "error", "/var/log/a"], ["grep", "/etc/shadow", "/var/log/a"], ["grep", "error"],
		["grep", "404", "/var/log/a"], ["grep", "error", "-in", "/var/log/a"],
	] {
		ssh.only_runs(grep) with input as samples.exec([words])
	}
	every words in [
		["grep", "error", "/etc/shadow"], ["grep", "-f", "/etc/shadow"], ["grep", "a", "b"], ["grep", "a", "5", "/var/log/a"],
		["grep", "-e", "x", "/var/log/a"], ["grep", "404", "error", "/var/log/a"],
	] {
		not ssh.only_runs(grep) with input as samples.exec([words])
	}
}

test_several_forms_may_be_given_of_which_any_will_do if {
	several := {"df": [[], {"flags": "hk"}]}
	ssh.only_runs(several) with input as samples.exec([["df"]])
	ssh.only_runs(several) with input as samples.exec([["df", "-hk"]])
	not ssh.only_runs(several) with input as samples.exec([["df", "-x"]])
}

test_a_form_that_is_odd_permits_nothing if {
	every form in [
		{"flag": "f"}, {"paths": {""}}, {"paths": {"var"}}, {"paths": {1}}, {"paths": null}, {"paths": "/var"},
		{"texts": "1"}, {"flags": "f", "paths": {"/var/log"}, "leest": 1}, {"numbers": "yes"}, {"words": null},
		1, "x", null, false,
		{"flags": "-f"},
	] {
		not ssh.only_runs({"tail": form}) with input as samples.exec([["tail", "-f", "/var/log/a"]])
	}
	not ssh.only_runs({"tail": {"flags": "f-"}}) with input as samples.exec([["tail", "--f"]])
	not ssh.only_runs({"tail": {"x": ["-f"]}}) with input as samples.exec([["tail", "-f"]])
	ssh.only_runs({"tail": {"paths": {"/"}}}) with input as samples.exec([["tail", "/etc/x"]])
	ssh.only_runs({"ls": {"paths": {"/"}}}) with input as samples.exec([["ls", "/"]])
}
