/** How the admin API answers: envelopes, and problems with every fault. */
import type { Request, Response } from 'express';
import { z } from 'zod';
import type { Actor } from '../core/events.ts';
import type { Clock } from '../core/ports.ts';
import type { Envelope, Problem, StatusData } from './api.ts';

export type Reply = <T>(response: Response, schema: string, data: T) => void;

/** Answers with an envelope that says when it was made. */
export function replier(clock: Pick<Clock, 'wall'>): Reply {
  return <T>(response: Response, schema: string, data: T) => {
    const envelope: Envelope<T> = { schema, at: new Date(clock.wall()).toISOString(), data };
    response.set('Cache-Control', 'no-store').json(envelope);
  };
}

/** Printed by whoever reads the history: no control characters, which would reach their terminal. */
export const reason = z
  .string()
  .max(1_000)
  .regex(/^\P{Cc}*$/u, 'expected no control characters')
  .optional();

/** Who is at the keyboard, as the client says; it is a label, the token is the authority. */
export function operator(request: Request): Actor {
  const name = /^[\w.@-]{1,64}$/.exec(request.get('fig-operator') ?? '')?.[0];
  return { kind: 'operator', id: name ?? 'unknown' };
}

/** 400 with every fault. */
export function invalid(response: Response, error: z.ZodError): void {
  const errors = error.issues.map((issue) => ({
    pointer: `/${issue.path.map(String).join('/')}`,
    detail: issue.message,
  }));
  problem(
    response,
    400,
    'INVALID',
    `${errors.length} ${errors.length === 1 ? 'fault' : 'faults'} in the request`,
    undefined,
    errors,
  );
}

/** RFC 9457. */
export function problem(
  response: Response,
  status: number,
  code: string,
  detail: string,
  next?: string,
  errors?: Problem['errors'],
): void {
  const body: Problem = {
    type: `urn:strangler-fig:error:${code}`,
    title: code.toLowerCase().replaceAll('_', ' '),
    status,
    detail,
    code,
    ...(errors === undefined ? {} : { errors }),
    ...(next === undefined ? {} : { next }),
  };
  response.status(status).type('application/problem+json').send(JSON.stringify(body));
}

/** 404 with the groups that there are. */
export function unknownGroup(
  { groups }: Pick<StatusData, 'groups'>,
  response: Response,
  group: string,
): void {
  const known = groups.map((candidate) => candidate.group).join(', ') || 'none';
  problem(response, 404, 'GROUP_UNKNOWN', `there is no group "${group}"; known: ${known}`, 'fig status');
}
