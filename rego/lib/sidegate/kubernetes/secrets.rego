package sidegate.kubernetes

# METADATA
# scope: document
# title: Could be answered with a Secret or a token
# description: |
#   Whatever is done to a Secret is answered with it: deletes, patches and dry runs too. Mask `data.*` and
#   `stringData.*` of it. What streams and logs show is not known.
reads_secrets if {
	some resource in ["secrets", "secrets/*", "serviceaccounts/token"]
	touches(resource)
}

# METADATA
# scope: document
# title: Could read, change or use Secrets
# description: |
#   As `reads_secrets`; and pods that mount Secrets, have them in their environment or pull images by them, since what
#   runs there reads them. A patch of pods could be of such as do so already. Custom resources are seen by `hides_pods`.
touches_secrets if reads_secrets

touches_secrets if {
	_makes_own_pods
	not _pods_without_secrets
}

_pods_without_secrets if {
	_pods_known
	_pod.partial == false
	_pod.secrets == []
}
