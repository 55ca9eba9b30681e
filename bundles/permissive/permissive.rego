# METADATA
# title: Allows everything
# description: For measuring, and for comparing the gate with a bare connection. It governs nothing.
package policy.permissive

allow contains {"code": "permissive.all", "protocol": "*"}
