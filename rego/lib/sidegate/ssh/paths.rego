package sidegate.ssh

# At or below one of the roots, by components: /data does not hold /database.
_under(path, roots) if {
	_canonical(path)
	some root in roots
	_holds(root, path)
}

_holds("/", _)

_holds(root, path) if _without_slash(root) == path

_holds(root, path) if {
	stem := _without_slash(root)
	stem != ""
	startswith(path, concat("", [stem, "/"]))
}

# Absolute, and written in the one way that means it.
_canonical("/")

_canonical(path) if {
	startswith(path, "/")
	every part in array.slice(split(path, "/"), 1, count(path) + 1) {
		not part in {"", ".", ".."}
	}
}

# One slash at the end means the same directory.
_without_slash("/") := "/"

_without_slash(path) := trim_suffix(path, "/") if path != "/"
