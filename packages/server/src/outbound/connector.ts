import type { LookupAddress } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import { callbackify } from 'node:util';
import { buildConnector } from 'undici';
import type { Clock } from '#domain/clock';
import type { AddressPolicy } from '#outbound/address-policy';

/** Resolves a host name to all of its addresses. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

/** A connection that the address policy refused: nothing was sent. */
export class RefusedAddress extends Error {
  override readonly name = 'RefusedAddress';
  readonly reason: string;

  constructor(reason: string) {
    super(reason);
    this.reason = reason;
  }
}

const cacheMs = 10_000;
const cacheSize = 2_000;
const connectTimeoutMs = 10_000;

/**
 * How sockets are opened: resolve, check, and connect to an address that was checked, in that order and from one
 * answer. A name that resolves to something else a moment later (DNS rebinding) is therefore harmless, and so is
 * every redirect, since each hop opens its socket here.
 */
export function guardedConnector(deps: {
  readonly policy: AddressPolicy;
  readonly resolve: Resolve;
  readonly clock: Clock;
  /** A certificate of the caller, and authorities. */
  readonly tls?: object;
}): buildConnector.connector {
  const resolve = cachedResolve(deps.resolve, deps.clock);
  const byPort = new Map<number, buildConnector.connector>();

  async function checked(hostname: string, port: number): Promise<LookupAddress[]> {
    let refusal = 'it has no address';
    const open: LookupAddress[] = [];
    for (const candidate of await resolve(hostname)) {
      const reason = deps.policy.refusal(candidate.address, port);
      if (reason === undefined) open.push(candidate);
      else refusal = `it resolves to ${reason}`;
    }
    if (open.length === 0) throw new RefusedAddress(refusal);
    return open;
  }

  const checkedWithCallback = callbackify(checked);

  function connectorFor(port: number): buildConnector.connector {
    const lookup: LookupFunction = (hostname, options, done) => {
      checkedWithCallback(hostname, port, (error, addresses) => {
        if (error !== null) done(error, '');
        else if (options.all === true) done(null, addresses);
        else done(null, addresses[0]?.address ?? '', addresses[0]?.family);
      });
    };
    return buildConnector({
      lookup,
      timeout: connectTimeoutMs,
      allowH2: false,
      keepAlive: true,
      ...deps.tls,
    });
  }

  return (options, done) => {
    const port = Number(options.port || (options.protocol === 'https:' ? 443 : 80));
    const literal = options.hostname.replace(/^\[|\]$/g, '');
    if (isIP(literal) !== 0) {
      // The operating system connects to a literal without any lookup.
      const reason = deps.policy.refusal(literal, port);
      if (reason !== undefined) return done(new RefusedAddress(`it is ${reason}`), null);
    }
    let connect = byPort.get(port);
    if (connect === undefined) byPort.set(port, (connect = connectorFor(port)));
    return connect(options, done);
  };
}

/** One lookup a name for ten seconds, however many sockets are opened. What is cached is checked again each time. */
function cachedResolve(resolve: Resolve, clock: Clock): Resolve {
  const cache = new Map<string, { until: number; addresses: Promise<readonly LookupAddress[]> }>();
  return (hostname) => {
    const now = clock.now().getTime();
    const hit = cache.get(hostname);
    if (hit !== undefined && hit.until > now) return hit.addresses;
    const addresses = resolve(hostname);
    cache.delete(hostname);
    cache.set(hostname, { until: now + cacheMs, addresses });
    addresses.catch(() => cache.delete(hostname));
    const oldest = cache.size > cacheSize ? cache.keys().next().value : undefined;
    if (oldest !== undefined) cache.delete(oldest);
    return addresses;
  };
}
