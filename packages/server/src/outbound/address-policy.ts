import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** Which addresses may be called. */
export interface AddressPolicy {
  /** Why an address is refused, in words for the error; undefined when it may be called. */
  refusal(address: string, port: number): string | undefined;
}

type Address = ipaddr.IPv4 | ipaddr.IPv6;

const rangeNames: Readonly<Record<string, string>> = {
  unspecified: 'the unspecified address',
  broadcast: 'the broadcast address',
  multicast: 'a multicast address',
  linkLocal: 'a link-local address, where clouds serve machine credentials',
  loopback: 'this machine itself',
  carrierGradeNat: 'a shared (carrier-grade NAT) address',
  private: 'a private network',
  uniqueLocal: 'a private network',
};

/**
 * The public internet, and what the operator lists besides.
 *
 * @param allow - entries of INLAY_EGRESS_ALLOW: an address or CIDR, each with an optional port
 * (`10.2.0.0/16`, `127.0.0.1:4100`, `[::1]:4100`, `fd00::/8`).
 * @throws TypeError naming the entry that cannot be read.
 */
export function createAddressPolicy(allow: readonly string[]): AddressPolicy {
  const rules = allow.filter((entry) => entry.trim() !== '').map(parseRule);

  function refusal(text: string, port: number): string | undefined {
    if (isIP(text) === 0) return 'its address cannot be read';
    // `process` turns ::ffff:10.0.0.1 into 10.0.0.1: a mapped address reaches the same machine (RFC 4291 §2.5.5.2).
    const address = ipaddr.process(text);
    if (rules.some((rule) => rule.matches(address, port))) return undefined;
    return publicRefusal(address);
  }

  return { refusal };
}

function publicRefusal(address: Address): string | undefined {
  const range = address.range();
  if (address instanceof ipaddr.IPv6) {
    // NAT64 (RFC 6052): the last 32 bits are the IPv4 address that is really called.
    if (range === 'rfc6052') return publicRefusal(new ipaddr.IPv4(address.toByteArray().slice(12)));
    // 2000::/3 is all of IPv6 that is assigned for public use (RFC 4291 §2.4); translations hide in the rest.
    const isGlobal = ((address.toByteArray()[0] ?? 0) & 0xe0) === 0x20;
    return range === 'unicast' && isGlobal ? undefined : (rangeNames[range] ?? 'a reserved address');
  }
  return range === 'unicast' ? undefined : (rangeNames[range] ?? 'a reserved address');
}

/** Whether an entry of INLAY_EGRESS_ALLOW can be read. */
export function isEgressRule(entry: string): boolean {
  try {
    parseRule(entry);
    return true;
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

interface Rule {
  matches(address: Address, port: number): boolean;
}

function parseRule(entry: string): Rule {
  const wrong = (): TypeError =>
    new TypeError(
      `INLAY_EGRESS_ALLOW: "${entry}" is not an address or CIDR; write "10.2.0.0/16" or "127.0.0.1:4100".`,
    );
  const { range, port } = splitPort(entry.trim());
  let network: [Address, number];
  try {
    network = range.includes('/') ? ipaddr.parseCIDR(range) : wholeAddress(range);
  } catch {
    throw wrong();
  }
  const [base, bits] = network;
  if (port !== undefined && (port < 1 || port > 65_535)) throw wrong();
  return {
    matches: (address, at) =>
      (port === undefined || port === at) &&
      address.kind() === base.kind() &&
      address.match([base, bits] as never),
  };
}

function splitPort(text: string): { range: string; port?: number } {
  const bracketed = /^\[([^\]]+)\](?::(\d{1,5}))?$/.exec(text);
  const found = bracketed ?? /^([\d.]+(?:\/\d+)?):(\d{1,5})$/.exec(text);
  if (found === null) return { range: text };
  return { range: found[1] ?? '', ...(found[2] !== undefined && { port: Number(found[2]) }) };
}

function wholeAddress(text: string): [Address, number] {
  if (isIP(text) === 0) throw new TypeError('not an address');
  const address = ipaddr.process(text);
  return [address, address.kind() === 'ipv4' ? 32 : 128];
}
