/** What a body may be, whatever its representation. The bytes of it are limited before, by the target's configuration. */

/** Levels of nesting. Schemas of custom resources that embed a pod template have about 60; readers here and in policies recurse. */
export const DEPTH = 200
/** Members and items in all. The largest schemas have tens of thousands; a policy walks each. */
export const VALUES = 100_000
/**
 * Characters of all pointers that a policy is told of a patch. A long name stands in those of all that is below it, so that a body
 * of megabytes could have gigabytes of them; those of the largest custom resource definitions come to some five million.
 */
export const POINTERS = 8 * 1024 ** 2
