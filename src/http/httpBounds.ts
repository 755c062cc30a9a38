/**
 * The bounds of connections: how long a caller may take, how many there may be, and how long the end may last.
 */

/** From the first byte of a request to its last: a megabyte over a poor line, not a drip that holds a socket. */
export const requestMaxMillis = 30_000
export const headersMaxMillis = 10_000
/** Longer than the minute that load balancers keep a connection for, so that they close first. */
export const keepAliveMillis = 65_000
/** Sockets at once; each costs some tens of kilobytes. */
export const connectionsMax = 10_000
/** Connections that wait to be taken. Past Node's own 511 a rush loses them, and each tries again a second later. */
export const listenBacklogMax = 4_096
/** What an answer may take beyond the order deadline when the service stops; then its connection is closed. */
export const drainMarginMillis = 500
/** What anything but an order may take; orders and stock movements have a deadline of their own. */
export const workMaxMillis = 10_000
/** A request that takes longer is looked at, whatever came of it. */
export const slowRequestMillis = 1_000
