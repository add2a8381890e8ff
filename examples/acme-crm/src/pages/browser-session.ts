import type { FastifyReply, FastifyRequest } from 'fastify';
import type { Clock } from '../clock.ts';
import { type Person, endSession, sessionPerson, startSession } from '../people.ts';
import type { Store } from '../store.ts';

const cookieName = 'acme_session';

interface Deps {
  store: Store;
  clock: Clock;
}

function cookieValue(header: string | undefined): string | undefined {
  const pairs = (header ?? '').split(';').map((pair) => pair.trim());
  return pairs.find((pair) => pair.startsWith(`${cookieName}=`))?.slice(cookieName.length + 1);
}

/** Whom a browser is signed in as, by its Cookie header. */
export function personOfCookies(deps: Deps, header: string | undefined): Person | undefined {
  const token = cookieValue(header);
  return token === undefined ? undefined : sessionPerson(deps.store, deps.clock, token);
}

export function signBrowserIn(deps: Deps, reply: FastifyReply, person: Person): void {
  const token = startSession(deps.store, deps.clock, person.id);
  void reply.header('set-cookie', `${cookieName}=${token}; Path=/; HttpOnly; SameSite=Lax; Max-Age=604800`);
}

export function signBrowserOut(deps: Deps, request: FastifyRequest, reply: FastifyReply): void {
  const token = cookieValue(request.headers.cookie);
  if (token !== undefined) endSession(deps.store, token);
  void reply.header('set-cookie', `${cookieName}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0`);
}

/**
 * Whether a form was sent by another site. Browsers name the sender in Origin on every POST, so together
 * with SameSite cookies no token is needed. Programs that send no Origin hold no one else's cookies.
 */
export function isForeignPost(request: FastifyRequest): boolean {
  const { origin } = request.headers;
  if (request.method !== 'POST' || origin === undefined) return false;
  return !URL.canParse(origin) || new URL(origin).host !== request.headers.host;
}
