# METADATA
# title: Paths of files, by their components
# description: Total; of what is no path, each is false.
package sidegate.directories

# METADATA
# title: At or below one of the roots
# description: "By components: /data does not hold /database."
under(path, roots) if {
	canonical(path)
	some root in roots
	_holds(root, path)
}

_holds("/", _)

_holds(root, path) if without_slash(root) == path

_holds(root, path) if {
	stem := without_slash(root)
	stem != ""
	startswith(path, concat("", [stem, "/"]))
}

# METADATA
# scope: document
# title: Absolute, and written in the one way that means it
canonical("/")

canonical(path) if {
	startswith(path, "/")
	every part in array.slice(split(path, "/"), 1, count(path) + 1) {
		not part in {"", ".", ".."}
	}
}

# METADATA
# scope: document
# title: The path without the slash at its end, which means the same directory
without_slash("/") := "/"

without_slash(path) := trim_suffix(path, "/") if path != "/"
