/**
 * The bounds of sign-in: what hashing may cost, how long sessions live, what is cached and how fast guessing may go.
 * They belong together because a change of one (the cost of a hash) moves what another may be (how many wait for it).
 */

/** OWASP's recommendation for Argon2id (19 MiB, two passes, one lane); about 15 ms of one core. */
export const passwordHashMemoryKibibytes = 19_456
export const passwordHashPasses = 2
export const passwordHashLanes = 1
/** Callers that may wait for a hash: beyond two seconds of work a quick "busy" serves them better. */
export const passwordHashWaitersMax = 128

export const sessionTtlMillis = 24 * 3_600_000
/** Ended sessions are kept this long, so that a late question about one can still be answered. */
export const sessionRetentionMillis = 24 * 3_600_000
export const sessionPruneIntervalMillis = 10 * 60_000
export const sessionPruneSizeMax = 1_000

/** Verified tokens kept; verifying one again costs about 50 us. */
export const verifiedTokensMax = 20_000
/** Principals kept. A change made in this process drops them at once; one made elsewhere is seen after the TTL. */
export const principalsMax = 20_000
export const principalTtlMillis = 30_000
/** What looking up who calls may take before the caller is told to try again. */
export const principalLookupMaxMillis = 5_000
/** A token of ours has about 200 characters; what is longer is not ours and is not worth a signature check. */
export const tokenLengthMax = 1_024
export const tokenSecretLengthMinBytes = 32

/** Wrong passwords for one e-mail address: ten at once, then one every thirty seconds. */
export const emailFailuresBurst = 10
export const emailFailureRefillMillis = 30_000
/** Wrong passwords from one network address, behind which many people may sit. */
export const addressFailuresBurst = 100
export const addressFailureRefillMillis = 1_000
/** E-mail or network addresses remembered; the one that failed longest ago leaves first. */
export const failureBucketsMax = 10_000

/** Accounts whose orders of the last second one process remembers, where they are limited. */
export const limitedCallersMax = 50_000

/** Merchants one account may apply for: an application waits for a person. */
export const merchantsOfAccountMax = 20

/** Members of one merchant, and keys of it that are not revoked. */
export const membersMax = 100
export const apiKeysMax = 20
export const apiKeySecretBytes = 32
/** A key of ours has 47 characters. */
export const apiKeyLengthMax = 64
/** Channels kept, as principals are. */
export const channelsMax = 10_000
/** How often at most the use of a key is written down. */
export const apiKeyUseIntervalMillis = 60_000
/** Addresses one account may try to make members: they tell who has an account. */
export const memberAttemptsBurst = 20
export const memberAttemptRefillMillis = 60_000
