/** What a body may be, whatever its representation. The bytes of it are limited before, by the target's configuration. */

/** Levels of nesting. Schemas of custom resources that embed a pod template have about 60; readers here and in policies recurse. */
export const DEPTH = 200
/** Members and items in all. The largest schemas have tens of thousands; a policy walks each. */
export const VALUES = 100_000
